"""What the library does for itself is not heard; what the user does is, before and
after."""

import sys
import time

import pytest
import tracefuse
from tracefuse.tracer.watching.codes import Listener
from tracefuse.tracer.watching.hearing import hearing, unheard


def inner(x):
    return x + 1


def test_code_and_clocks_after_an_operation_are_heard():
    @tracefuse.jit
    def f(x):
        y = inner(x).view(-1)
        y[0] = 3.0
        return y + time.time()

    f(tracefuse.ones(2))
    assert "time.time" in f.explain()
    assert sys.getprofile() is None and not hearing.on


def test_an_operation_that_fails_ends_in_listening():
    with Listener() as listener:
        was = hearing.on
        with pytest.raises(ZeroDivisionError):
            unheard(lambda: 1 / 0)
        assert hearing.on is was
        inner(1)
    assert inner.__code__ in listener.codes and not hearing.on


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no profile hook")
def test_what_is_unheard_is_not_noted():
    with Listener() as listener:
        assert unheard(inner, 1) == 2
        assert hearing.on
    assert inner.__code__ not in listener.codes


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no profile hook")
def test_a_listener_that_stops_meanwhile_is_not_heard_again():
    with Listener() as listener:
        unheard(listener.stop)
        assert not hearing.on and sys.getprofile() is None
    assert sys.getprofile() is None
