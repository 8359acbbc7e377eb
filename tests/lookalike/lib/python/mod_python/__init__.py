"""The Python side of the host."""

__all__ = ["apache"]
