"""Images: where they come from, decoding them once, and dividing them into splits."""

from mixqual.data.cache import decode_images, open_images
from mixqual.data.given_split import GivenSplit, choose_split
from mixqual.data.image_set import DecodedImages, ImageSet, undecoded
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.leakage import Leak, find_leaks, refuse_leaks
from mixqual.data.sources import index_images
from mixqual.data.splits import Splits, make_splits, read_splits, write_splits

__all__ = [
    "DecodedImages",
    "GivenSplit",
    "ImageIndex",
    "ImageSet",
    "Item",
    "Leak",
    "LeftOut",
    "Splits",
    "choose_split",
    "decode_images",
    "find_leaks",
    "index_images",
    "make_splits",
    "open_images",
    "read_splits",
    "refuse_leaks",
    "undecoded",
    "write_splits",
]
