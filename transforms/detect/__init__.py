"""From white noise to triggers.

``search`` applies the wavelet bank of a sample rate to a block and finds candidates: tiles
(``octave``), and the rectangles and tracks that several tiles make (``extended``). ``sessions``
groups candidates, ``cluster`` makes one trigger of a group; ``clusters_live`` does so while
strain still comes.
"""
