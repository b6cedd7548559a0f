"""Notices as they are read."""

from datetime import datetime

from mxtvhf.notices.alert import Alert


def alert_of(burst_id: str, notice_type: str, event_time: datetime, **more: object) -> Alert:
    """A notice of ECLAIRs, unless ``more`` says something else."""
    fields = {
        "ivorn": f"ivo://org.svom/fsc#{burst_id}_{notice_type}",
        "burst_id": burst_id,
        "notice_type": notice_type,
        "packet_type": 202,
        "notice_level": "N1e",
        "instrument": "ECLAIRs",
        "role": "observation",
        "published": None,
        "event_time": event_time,
        "position": None,
        "attitude": None,
        "snr": 9.0,
    }
    return Alert.model_validate({**fields, **more})
