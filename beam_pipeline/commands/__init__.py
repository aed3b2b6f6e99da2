"""The commands of ``wavefier``: their words (``arguments``), and what each does (``actions``)."""
