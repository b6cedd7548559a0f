from mxtvhf.desk.files import DeskFiles
from support.desk import BURST


def test_a_changed_report_is_read_again(settings, put):
    put(f"{BURST}__1", "preliminary")
    files = DeskFiles(settings)
    assert files.summary(BURST, f"{BURST}__1").status == "preliminary"
    put(f"{BURST}__1")
    assert files.summary(BURST, f"{BURST}__1").status == "final"
    put(f"{BURST}__1", headline="another one")
    assert files.summary(BURST, f"{BURST}__1").headline == "another one"
