"""The package beside other programs: `make peers`."""
