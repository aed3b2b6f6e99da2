"""From files to blocks: formats, data quality, planning."""
