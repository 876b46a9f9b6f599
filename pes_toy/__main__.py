"""`python -m pes_toy` is the command `pes_toy`."""
from pes_toy.cli import main

raise SystemExit(main())
