"""Stands in for tblite where that is not installed: quick, periodic, and wrong about carbon."""
