"""The way in: strain of files and of streams, as blocks.

Files come by ``files``. Messages come by ``kafka``, which reads any topic; ``messages`` decodes
them to frames, ``strain`` says which of these are taken and what time it is, and ``stitch`` joins
them to blocks. What both ways share stands here: channels, masks, data quality, resampling.
"""
