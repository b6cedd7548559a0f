from io import BytesIO
from zipfile import ZipFile

from mxtvhf.archive.products import product_folder
from mxtvhf.desk.download import zipped
from mxtvhf.desk.files import DeskFiles
from mxtvhf.models.files import sha256_of
from support.desk import BURST


def test_all_products_in_one_file(settings, put):
    report = put(f"{BURST}__1")
    folder = product_folder(settings.products, BURST, f"{BURST}__1")
    made = DeskFiles(settings).report(BURST, f"{BURST}__1")
    outside = made.products["event_file"].model_copy(update={"path": "../../../secret"})
    made = made.model_copy(update={"products": {**made.products, "trap": outside}})
    (settings.home / "secret").write_text("no")
    with ZipFile(BytesIO(zipped(folder, made))) as file:
        assert not [name for name in file.namelist() if "secret" in name]
        for product in report["products"].values():
            assert sha256_of(file.read(f"{BURST}__1/{product['path']}")) == product["sha256"]
        assert f"{BURST}__1/report.json" in file.namelist()
