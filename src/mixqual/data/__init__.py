"""Images: where they come from, decoding them once, and dividing them into splits."""

from mixqual.data.cache import decode_images, open_images
from mixqual.data.decoding import Unreadable, read_image
from mixqual.data.image_set import DecodedImages, ImageSet
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.sources import index_images
from mixqual.data.splits import Splits, make_splits, read_splits, write_splits

__all__ = [
    "DecodedImages",
    "ImageIndex",
    "ImageSet",
    "Item",
    "LeftOut",
    "Splits",
    "Unreadable",
    "decode_images",
    "index_images",
    "make_splits",
    "open_images",
    "read_image",
    "read_splits",
    "write_splits",
]
