"""What a net asks about skorch's callbacks."""

import dis

from skorch.callbacks import Callback

__all__ = ["check_callbacks", "is_callbacks"]


def check_callbacks(callbacks):
    """Raise unless ``callbacks`` is a list, None or "disable"."""
    if isinstance(callbacks, (Callback, type, str)) and callbacks != "disable":
        raise ValueError(f"callbacks is {callbacks!r}; give a list, callbacks=[...].")


def is_callbacks(interrupt):
    """Whether code raised it, as callbacks do to end training, and not the user's Ctrl-C."""
    last = interrupt.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    return dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
