"""From the frames of a stream to blocks.

`stitcher.Stitcher` joins one channel's frames; ``stage`` keeps its state.
"""
