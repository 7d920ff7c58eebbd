"""Alembic's environment: runs the migrations of both packages over a connection that `cli.schema` hands in."""

from alembic import context

from signing_service.kernel.database import Base

options = context.config.attributes
context.configure(
    connection=options["connection"],
    target_metadata=Base.metadata,
    include_object=options.get("include_object"),
    render_as_batch=True,
    user_module_prefix="database.",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
