"""Reads the price book that comes with the package; what the prices are used for is the core's business."""

import functools
import importlib.resources

import yaml

from reconciler.core.prices import PriceBook, book_from


@functools.cache
def price_book() -> PriceBook:
    """Read the book once."""
    text = importlib.resources.files("reconciler").joinpath("prices.yaml").read_text(encoding="utf-8")
    return book_from(yaml.safe_load(text))
