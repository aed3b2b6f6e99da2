"""State of a keyed step that is kept in memory."""


class Cell:
    """One value."""

    def __init__(self):
        self.value = None

    def read(self):
        return self.value

    def write(self, value):
        self.value = value

    def clear(self):
        self.value = None


class Bag:
    """Many values."""

    def __init__(self):
        self.clear()

    def read(self):
        return list(self.values)

    def add(self, value):
        self.values.append(value)

    def clear(self):
        self.values = []
