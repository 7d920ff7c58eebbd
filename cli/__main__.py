"""`python -m cli`, which is `zhengyin`."""

from cli.main import main

main()
