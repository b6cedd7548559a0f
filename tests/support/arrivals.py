"""What arrives of a burst, and when."""

from datetime import UTC, datetime, timedelta

from mxtvhf.notices.alert import Citation
from mxtvhf.telemetry.framing import find_frames
from mxtvhf.telemetry.layout import layout

BURST = "sb26030704"
NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


def seconds(number):
    return NOON + timedelta(seconds=number)


def messages_of(raw, packets_each=4):
    """Cut a stream into messages of some whole packets each, the pointing among them."""
    frames = find_frames(raw, layout())
    cuts = sorted(
        (offset, kind.size) for kind in layout().types for offset in frames.offsets[kind.name].tolist()
    )
    packets = [raw[offset : offset + size] for offset, size in cuts]
    return [b"".join(packets[k : k + packets_each]) for k in range(0, len(packets), packets_each)]


def retraction_of(alert, **changes):
    ivorn = f"ivo://org.svom/fsc#{alert.burst_id}_retraction"
    return alert.model_copy(
        update={
            "ivorn": ivorn,
            "notice_type": "retraction",
            "packet_type": 219,
            "notice_level": "N3e",
            "position": None,
            "citations": (Citation(ivorn=alert.ivorn, cite="retraction"),),
            **changes,
        }
    )
