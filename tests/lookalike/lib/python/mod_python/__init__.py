"""The Python side of the look-alike."""

__all__ = ["apache"]
