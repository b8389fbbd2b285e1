"""Stacks of images: region, masks, sums, alignment, files, and everything that is refused."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits

from diffaxion.data import (
    nustar_grid,
    read_image_stack,
    source_offset,
    tangent_offsets_arcsec,
    write_image_stack,
    write_observation,
)
from diffaxion.data.nustar_files import write_sky_image
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning

from . import nustar

REGION = (*nustar.CENTRE, 1.5)


@pytest.fixture
def folder(tmp_path):
    write_observation(tmp_path, nustar.stack(), target=REGION, name="test")
    return tmp_path


def distances(grid):
    """Distance of pixel centres from the centre of the region, with astropy's separations."""
    from astropy.coordinates import SkyCoord

    y, x = np.indices(grid.shape)
    return (
        SkyCoord(*grid.world(x, y), unit="deg")
        .separation(SkyCoord(*nustar.CENTRE, unit="deg"))
        .arcmin
    )


# --- what is read ---------------------------------------------------------------------------


def test_images_arrive_as_written(folder):
    """Each exposure's box holds the pixels of its own image, and the mask is the disc."""
    want, found = nustar.stack(), read_image_stack(folder)
    for k, grid in enumerate(found.grids):
        x, y = np.round(want.grids[k].pixel(*grid.world(0, 0))).astype(int)
        ny, nx = found.shape
        for name in ("counts", "exposure", "background"):
            np.testing.assert_allclose(
                getattr(found, name)[:, k], getattr(want, name)[:, k, y : y + ny, x : x + nx]
            )
        np.testing.assert_array_equal(found.mask[k], distances(grid) <= 1.5)
    assert found.nature == "simulated, seed 1"
    np.testing.assert_array_equal(found.exposure_s, want.exposure_s)
    assert (found.modules, found.obs_ids) == (want.modules, want.obs_ids)


def test_compressed_files_are_the_same(folder):
    before = read_image_stack(folder)
    text = (folder / "observation.toml").read_text()
    for path in folder.glob("*.img"):
        with fits.open(path) as file:
            file.writeto(folder / f"{path.name}.gz")
        path.unlink()
    (folder / "observation.toml").write_text(text.replace(".img", ".img.gz"))
    np.testing.assert_array_equal(read_image_stack(folder).counts, before.counts)


@pytest.mark.parametrize("name", ["stack.npz", "stack.h5"])
def test_one_file_holds_the_same(folder, name):
    want = nustar.stack(shift_arcsec=np.array([[1.0, 2.0], [0.0, -3.0]]))
    write_image_stack(folder / name, want)
    whole = read_image_stack(folder / name)
    for field in ("counts", "exposure", "background", "mask", "exposure_s", "shift_arcsec"):
        np.testing.assert_array_equal(getattr(whole, field), getattr(want, field))
    assert (whole.nature, whole.modules) == (want.nature, want.modules)
    cut = read_image_stack(folder / name, ra_deg=REGION[0], dec_deg=REGION[1], radius_arcmin=1.5)
    files = read_image_stack(folder)
    np.testing.assert_array_equal(cut.counts, files.counts)
    np.testing.assert_array_equal(cut.mask, files.mask)


def test_a_minimal_archive_of_one_exposure(tmp_path):
    """(bin, y, x) arrays, edges and one header: what a user would save by hand."""
    want = nustar.stack()
    header = "\n".join(f"{k:8}= {v!r}" for k, v in want.grids[0].header().items())
    np.savez(
        tmp_path / "x.npz",
        counts=want.counts[:, 0].astype(np.int16),
        exposure=want.exposure[:1, 0],
        background=want.background[:, 0].astype(np.float32),
        bin_edges_keV=[10.0, 15.0, 20.0],
        wcs=header,
        exposure_s=3e4,
    )
    found = read_image_stack(tmp_path / "x.npz")
    np.testing.assert_array_equal(found.counts[:, 0], want.counts[:, 0])
    assert found.grids[0].distance_pixels(want.grids[0]) < 1e-9
    np.testing.assert_array_equal(found.high_keV, [15.0, 20.0])
    content = dict(np.load(tmp_path / "x.npz"))
    np.savez(tmp_path / "x.npz", **content | {"exposure": 300.0 * content["exposure"]})
    with pytest.raises(DataError, match=r"exposure_unit is 's' and the exposure reaches 9e\+06"):
        read_image_stack(tmp_path / "x.npz")


def test_events_instead_of_images(tmp_path):
    """The counts of an event list in the box are those of its image."""
    events = nustar.events(n=20000)
    stack = nustar.stack(
        **{k: getattr(nustar.stack(), k)[:, :1] for k in ("counts", "background")},
        exposure=np.full((2, 1, 120, 120), 8e3),
        grids=(events.grid,),
        exposure_s=np.array([8e3]),
        modules=("FPMA",),
        obs_ids=("40010005001",),
    )
    write_observation(tmp_path, stack, target=REGION, events=[events])
    found = read_image_stack(tmp_path)
    from diffaxion.data import read_events

    image = read_events(next(tmp_path.glob("*.evt"))).images(nustar.LOW, nustar.HIGH)
    x, y = np.round(events.grid.pixel(*found.grids[0].world(0, 0))).astype(int)
    n = found.shape[0]
    np.testing.assert_array_equal(found.counts[:, 0], image[:, y : y + n, x : x + n])
    coarse = read_image_stack(tmp_path, rebin=3)
    assert coarse.grids[0].pixel_arcsec == pytest.approx(3 * 2.45810736)


def test_rebinned_on_reading_and_afterwards(tmp_path):
    """Blocks are counted from the corner of the file: boxes that start there agree exactly."""
    stack = nustar.stack()
    write_observation(tmp_path, stack, target=REGION)
    found = read_image_stack(tmp_path, rebin=4)
    want = stack.rebin(4).cut(*REGION)
    for name in ("counts", "exposure", "background", "mask"):
        np.testing.assert_allclose(getattr(found, name), getattr(want, name), rtol=1e-6)
    assert found.counts.sum() == pytest.approx(
        sum(
            stack.counts[:, k, y : y + 4 * n, x : x + 4 * n].sum()
            for k, n in ((0, found.shape[0]), (1, found.shape[0]))
            for x, y in [
                np.round(stack.grids[k].pixel(*found.grids[k].world(-0.375, -0.375))).astype(int)
            ]
        )
    )


def test_products_on_finer_and_coarser_pixels(folder):
    """A background on pixels twice as large is accepted after an explicit factor, not without."""
    stack = nustar.stack()
    for path in folder.glob("*_bgd.img"):
        k, b = "B01" in path.name, "15to20" in path.name
        coarse = stack.rebin(2)
        write_sky_image(
            path, coarse.background[int(b), int(k)], coarse.grids[int(k)], kind="background"
        )
        with fits.open(path, mode="update") as file:
            file[0].header["INSTRUME"] = "FPMB" if k else "FPMA"
    with pytest.raises(DataError, match="rebin the counts by 2"):
        read_image_stack(folder)
    found = read_image_stack(folder, rebin={"counts": 2, "exposure": 2})
    want = stack.rebin(2).cut(*REGION)
    np.testing.assert_allclose(found.background, want.background, rtol=1e-6)
    np.testing.assert_array_equal(found.counts, want.counts)


# --- sums over exposures --------------------------------------------------------------------


def test_rows_sum_over_groups(folder):
    found = read_image_stack(folder)
    both = found.mask.all(axis=0)
    (total,) = found.rows(found.counts)
    np.testing.assert_array_equal(total, found.counts.sum(axis=1)[:, both])
    apart = found.rows(jnp.asarray(found.counts), by="module")
    assert [x.shape[1] for x in apart] == found.mask.sum(axis=(1, 2)).tolist()
    np.testing.assert_array_equal(apart[1], found.counts[:, 1][:, found.mask[1]])
    assert found.groups("observation") == ((0, 1),)
    with pytest.raises(ConfigurationError, match="unknown grouping 'modules'"):
        found.groups("modules")


def test_turned_exposures_are_not_summed():
    stack = nustar.stack()
    turn = np.array([[0.0, -1.0], [1.0, 0.0]]) @ stack.grids[1].cd_deg
    turned = type(stack.grids[1])(**(vars(stack.grids[1]) | {"cd_deg": turn}))
    odd = nustar.stack(grids=(stack.grids[0], turned)).cut(*REGION)
    with pytest.raises(DataError, match="cannot be summed pixel by pixel"):
        odd.rows(odd.counts)
    assert len(odd.rows(odd.counts, by="exposure")) == 2


# --- masks ----------------------------------------------------------------------------------


def test_masks(folder):
    found = read_image_stack(folder, exclude=[(REGION[0], REGION[1] + 0.01, 0.5)])
    for grid, mask in zip(found.grids, found.mask, strict=True):
        east, north = grid.centres_arcsec(REGION[0], REGION[1] + 0.01)
        expected = (distances(grid) <= 1.5) & (np.hypot(east, north) > 30.0)
        np.testing.assert_array_equal(mask, expected)
    with pytest.raises(DataError, match="ROI holds 0 pixels in exposure 0"):
        found.exclude(*REGION[:2], 3.0)
    with pytest.raises(DataError, match=r"exclusion radius = -1\.0 arcmin"):
        found.exclude(*REGION[:2], -1.0)


def test_chip_gaps(tmp_path):
    """A strip of low exposure is worth a warning, and can be masked; one without any is masked."""
    exposure = nustar.stack().exposure.copy()
    exposure[..., 60:64, :] *= 0.3
    exposure[..., 70, :] = 0.0
    counts, background = nustar.stack().counts.copy(), nustar.stack().background
    counts[..., 70, :] = 0.0
    stack = nustar.stack(exposure=exposure, counts=counts, mask=exposure.min(axis=0) > 0.0)
    write_observation(tmp_path, stack, target=REGION)
    with pytest.warns(DiffaxionWarning, match=r"less than 50% of the highest exposure.*\[0, 1\]"):
        found = read_image_stack(tmp_path)
    assert not np.any(found.mask & (found.exposure[0] == 0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masked = read_image_stack(tmp_path, least_exposure=0.5)
    np.testing.assert_array_equal(masked.mask, found.mask & (found.exposure[0] > 1.5e4))
    assert background.shape == counts.shape


# --- alignment ------------------------------------------------------------------------------


def source(grid, east, north, seed, counts=4000):
    """Poisson counts of a round source and a flat background; the source is off its place."""
    rng = np.random.default_rng(seed)
    e, n = grid.centres_arcsec(*nustar.CENTRE)
    shape = np.exp(-0.5 * ((e - east) ** 2 + (n - north) ** 2) / 8.0**2)
    return rng.poisson(counts * shape / shape.sum() + 0.5).astype(float)


def test_centroids_are_unbiased():
    """40 sources: mean offset and scatter are as the error says."""
    grid = nustar_grid(*nustar.CENTRE, 80)
    pulls = []
    for seed in range(40):
        offset, error = source_offset(source(grid, 7.0, -4.0, seed), grid, *nustar.CENTRE, 25.0)
        pulls.append((offset - np.array([7.0, -4.0])) / error)
    pulls = np.array(pulls)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4.0 / np.sqrt(40.0))
    # The moving disc loses part of the wings: the centroid scatters up to 1.3 times its error.
    assert 0.8 < np.sqrt(np.mean(pulls**2)) < 1.4


def test_exposures_are_aligned_on_a_source(tmp_path):
    """Each module is off by something else; afterwards both show the source in its place."""
    stack = nustar.stack()
    off = np.array([[5.0, -3.0], [-4.0, 6.0]])
    counts = np.stack([source(g, *o, k) for k, (g, o) in enumerate(zip(stack.grids, off))])
    counts = np.stack([counts, 0.0 * counts], axis=0)
    shifted = nustar.stack(counts=counts)
    reference = (*nustar.CENTRE, 25.0)
    write_observation(tmp_path, shifted, target=REGION, reference=reference)
    found = read_image_stack(tmp_path)
    np.testing.assert_allclose(found.shift_arcsec, -off, atol=0.6)  # 4 sigma of 0.14 arcsec
    for k, grid in enumerate(found.grids):
        offset, _ = source_offset(found.counts[0, k], grid, *nustar.CENTRE, 25.0)
        np.testing.assert_allclose(offset, 0.0, atol=0.1)
    write_image_stack(tmp_path / "x.npz", shifted)
    one = read_image_stack(
        tmp_path / "x.npz",
        reference=reference,
        ra_deg=REGION[0],
        dec_deg=REGION[1],
        radius_arcmin=REGION[2],
    )
    np.testing.assert_allclose(one.shift_arcsec, found.shift_arcsec, atol=0.01)
    given = shifted.aligned(-off)
    away = tangent_offsets_arcsec(*given.grids[0].world(3, 4), *stack.grids[0].world(3, 4))
    np.testing.assert_allclose(away, -off[0], atol=1e-3)


def test_offsets_of_the_file_list_are_taken(folder):
    path = folder / "observation.toml"
    text = path.read_text().replace(
        'module = "FPMB"', 'module = "FPMB"\noffset_arcsec = [3.0, -2.0]'
    )
    path.write_text(text)
    np.testing.assert_allclose(read_image_stack(folder).shift_arcsec, [[0, 0], [-3.0, 2.0]])


def test_no_reference_source(folder):
    with pytest.raises(DataError, match=r"no reference source.*offset_arcsec"):
        read_image_stack(folder, reference=(*nustar.CENTRE, 20.0))
    grid = nustar_grid(*nustar.CENTRE, 80)
    bright = source(grid, 0.0, 23.0, 1, counts=100_000)
    with pytest.raises(DataError, match="is it another source"):
        source_offset(bright, grid, *nustar.CENTRE, 20.0)
