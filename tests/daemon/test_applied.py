"""A local run applies a folder once, and again only when it was edited: what changed since stands."""

from pathlib import Path

from reconciler.daemon import applied


def test_a_folder_is_news_until_it_was_applied_and_again_once_it_was_edited(tmp_path: Path) -> None:
    home, specs = tmp_path / "home", tmp_path / "specs"
    home.mkdir()
    (specs / "tenants").mkdir(parents=True)
    (specs / "tenants" / "acme.yaml").write_text("tier: starter")
    assert applied.is_news(home, specs)

    applied.remember(home, specs)
    assert not applied.is_news(home, specs)

    (specs / "tenants" / "acme.yaml").write_text("tier: pro")
    assert applied.is_news(home, specs)
    applied.remember(home, specs)
    (specs / "tenants" / "bolt.yaml").write_text("")
    assert applied.is_news(home, specs), "a new file counts, an empty one too"


def test_another_folder_is_news(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("home", "one", "two"):
        (tmp_path / name).mkdir()
    applied.remember(home, tmp_path / "one")
    assert applied.is_news(home, tmp_path / "two")
