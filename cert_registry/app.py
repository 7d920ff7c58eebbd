"""The whole web application of a home: the registry's routes and, handed in, the signing service's."""

from __future__ import annotations

from fastapi import FastAPI

from cert_registry.web.api import make_api
from cert_registry.web.parts import RegistryParts
from cert_registry.web.statuses import install
from signing_service.settings import Settings

__all__ = ["RegistryParts", "create_app"]


def create_app(settings: Settings, parts: RegistryParts) -> FastAPI:
    """Composes; opens nothing. The OpenAPI document is at /api/openapi.json, its pages at /api/docs."""
    app = FastAPI(
        title=f"{settings.city}电子证照接口 / Zhengyin licence API",
        version="1",
        description="供各部门核验和复用电子证照。错误为 RFC 9457 文档,code 稳定。",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    app.include_router(make_api(parts))
    for router in parts.routers:
        app.include_router(router)
    return app
