"""Images: where they come from, decoding them once, and dividing them into splits."""

from mixqual.data.cache import decode_images, open_images
from mixqual.data.contents import TABLE, changed_contents, hashes_in
from mixqual.data.equal_files import undecoded_copies
from mixqual.data.headers import all_grayscale, has_gray_noise
from mixqual.data.image_set import DecodedImages, ImageSet
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.data.leakage import Leak, explain_leaks, find_leaks, find_twins, refuse_leaks
from mixqual.data.sources import index_images
from mixqual.data.split_choice import GivenSplit, choose_split
from mixqual.data.splits import Splits, make_splits, read_splits, write_splits

__all__ = [
    "TABLE",
    "DecodedImages",
    "GivenSplit",
    "ImageIndex",
    "ImageSet",
    "Item",
    "Leak",
    "LeftOut",
    "Splits",
    "all_grayscale",
    "changed_contents",
    "choose_split",
    "decode_images",
    "explain_leaks",
    "find_leaks",
    "find_twins",
    "has_gray_noise",
    "hashes_in",
    "index_images",
    "make_splits",
    "open_images",
    "read_splits",
    "refuse_leaks",
    "undecoded_copies",
    "write_splits",
]
