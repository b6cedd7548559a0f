from mxtvhf.products import product_file, product_folder


def test_a_product_is_found_by_its_run(tmp_path):
    folder = product_folder(tmp_path, "sb26051102", "manual__2026-05-11T11:00:00+00:00")
    (folder / "preliminary").mkdir(parents=True)
    (folder / "preliminary" / "report.html").write_text("x")
    found = product_file(tmp_path, "manual__2026-05-11T11:00:00+00:00", "preliminary/report.html")
    assert found == (folder / "preliminary" / "report.html").resolve()


def test_nothing_outside_the_run_is_found(tmp_path):
    folder = product_folder(tmp_path, "sb26051102", "sb26051102__1")
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("no")
    (folder / "link").symlink_to(tmp_path / "secret")
    for name in ("../../secret", "link", str(tmp_path / "secret"), "", "none"):
        assert product_file(tmp_path, "sb26051102__1", name) is None
    assert product_file(tmp_path, "../sb26051102/sb26051102__1", "x") is None
    assert product_file(tmp_path, "*", "link") is None
