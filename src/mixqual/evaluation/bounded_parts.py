"""How many images are looked at together after a sweep: memory has a bound, whatever the classes.

What is found for one image does not depend on the others of its part, so that the parts change no
number.
"""

PART_BYTES = 64 * 2**20
"""Of one network's outputs for the images of a part, as float32."""

BLOCK = 1024
"""Images a block of an array: the unit that is written, and that a killed sweep does again."""


def parts_of(images: int, outputs: int, part_bytes: int = PART_BYTES) -> list[slice]:
    """The parts of a set of images with so many outputs each: whole blocks where these fit."""
    most = max(1, part_bytes // (4 * outputs))
    most -= most % BLOCK if most > BLOCK else 0
    return [slice(first, min(first + most, images)) for first in range(0, images, most)]
