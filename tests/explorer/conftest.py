"""What the tests of explorers in the browser share."""

import pytest


@pytest.fixture
def opened(browser, page):
    """The page in the browser; afterwards, that it kept to itself and had nothing to complain about."""
    browser.open(page)
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == []
