"""Alarm limits: when a value raises an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oximeter.reading import Reading

# variable: default, and the values that a hospital may set. No setting switches an alarm off.
SETTINGS = {
    "ALARM_SPO2_LOW": (90, range(85, 99)),
    "ALARM_SPO2_CRITICAL": (85, range(70, 96)),
    "ALARM_PULSE_LOW": (50, range(30, 81)),
    "ALARM_PULSE_HIGH": (120, range(90, 201)),
}


class UnsafeLimits(ValueError):
    """The configured limits are refused; the service must not start."""


@dataclass(frozen=True)
class Alarm:
    """A condition to raise, and the measurement that caused it; `priority` is medium or high."""

    code: str
    kind: str
    priority: str


SPO2_ALARMS = {"LL": Alarm("spo2", "spo2-critical", "high"), "L": Alarm("spo2", "spo2-low", "medium")}
PULSE_ALARMS = {"L": Alarm("pulse", "pulse-low", "medium"), "H": Alarm("pulse", "pulse-high", "medium")}


@dataclass(frozen=True)
class Judgement:
    """A reading against the limits, as codes of HL7's ObservationInterpretation, and the alarms due."""

    spo2: str
    pulse: str

    @property
    def alarms(self) -> list[Alarm]:
        due = [SPO2_ALARMS.get(self.spo2), PULSE_ALARMS.get(self.pulse)]
        return [alarm for alarm in due if alarm]


@dataclass(frozen=True)
class Limits:
    """A value below a low limit or above a high one alarms; a value equal to the limit does not."""

    spo2_low: int
    spo2_critical: int
    pulse_low: int
    pulse_high: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Limits:
        """Take the limits from the environment. Raise UnsafeLimits rather than guess."""
        limits = cls(*(_setting(name, environment) for name in SETTINGS))
        if limits.spo2_critical >= limits.spo2_low:
            raise UnsafeLimits("ALARM_SPO2_CRITICAL must be below ALARM_SPO2_LOW")
        return limits

    def judge(self, reading: Reading) -> Judgement:
        spo2 = "LL" if reading.spo2 < self.spo2_critical else "L" if reading.spo2 < self.spo2_low else "N"
        pulse = "L" if reading.pulse < self.pulse_low else "H" if reading.pulse > self.pulse_high else "N"
        return Judgement(spo2, pulse)


def _setting(name: str, environment: Mapping[str, str]) -> int:
    default, allowed = SETTINGS[name]
    text = environment.get(name, str(default))
    if text not in map(str, allowed):
        raise UnsafeLimits(f"{name} must be a whole number from {allowed.start} to {allowed.stop - 1}")
    return int(text)
