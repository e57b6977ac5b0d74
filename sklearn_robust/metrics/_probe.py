"""Old name of IndicatorInput, for the displays that still import it."""

from ._indicator_input import IndicatorInput as Probe

__all__ = ["Probe"]
