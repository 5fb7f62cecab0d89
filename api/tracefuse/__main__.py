"""python -m tracefuse"""

from tracefuse.api.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
