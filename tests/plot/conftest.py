import pytest

from stages.plot.style import Sheet


@pytest.fixture
def sheets(monkeypatch):
    """The sheets that are drawn, caught before they are saved."""
    caught = []
    saving = Sheet.save_svg
    monkeypatch.setattr(Sheet, "save_svg", lambda sheet, path: (caught.append(sheet), saving(sheet, path))[1])
    return caught
