"""Bad input of the commands on images of NuSTAR: arguments, and words of the message."""

from pathlib import Path

from diffaxion.data import bundled_observation, cluster_text

BUNDLED = bundled_observation()
LIST = (BUNDLED / "observation.toml").read_text()
for _name in ("nu40010005001", "stars.csv"):
    # The files themselves stay where they are.
    LIST = LIST.replace(f'"{_name}', f'"{BUNDLED}/{_name}')


def listing(*changes):
    """The bundled list with pieces of text replaced."""
    text = LIST
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


COUNTS = f"{BUNDLED}/nu40010005001A01_10to20keV_sk.img"
BACKGROUND = f"{BUNDLED}/nu40010005001A01_10to20keV_bgd.img"
XRAY_FILES = {
    "cut.img": Path(COUNTS).read_bytes()[:3000],
    "empty.img": b"",
    "notes.img": b"no image",
    "psf_bad.csv": "radius_arcsec,density\n0,1\n10,-1\n",
    "stars_bad.csv": "ra_deg,dec_deg,class,weight\n266.5,-28.8,WC,-1\n",
    "stars_none.csv": "ra_deg,dec_deg,class\n266.5,-28.8,WC\n",
    "own.toml": cluster_text("quintuplet").replace("ra = ", "rra = ", 1),
    "dark.toml": cluster_text("arches").replace('name = "arches"', 'name = "dark"'),
    "images/photo.jpg": b"\xff\xd8",
} | {
    f"{name}/observation.toml": text
    for name, text in {
        "good": LIST,
        "gone": listing((COUNTS, "none.img")),
        "cut": listing((COUNTS, "../cut.img")),
        "empty": listing((COUNTS, "../empty.img")),
        "notes": listing((COUNTS, "../notes.img")),
        "swapped": listing((COUNTS, BACKGROUND)),
        "key": listing(("obs_id", "obsid")),
        "bins": listing(("[20.0, 30.0]", "[15.0, 30.0]")),
        "band": listing(("[10.0, 20.0]", "[11.0, 20.0]")),
        "nobody": listing(('name = "quintuplet"', 'name = "quintuple"')),
        "outside": listing(("ra_deg = 266.5579", "ra_deg = 267.5579")),
        "star": listing((f"{BUNDLED}/stars.csv", "../stars_bad.csv")),
        "nostar": listing((f"{BUNDLED}/stars.csv", "stars.csv")),
        "broken": LIST[:200],
        "dim": listing(('name = "quintuplet"', 'name = "arches"')),
    }.items()
}

IMAGES = '[likelihoods]\ncmb = "none"\nxray = '
XRAY_FILES |= {
    "gone.toml": f'{IMAGES}["none"]\n',
    "word.toml": f'{IMAGES}"good"\n',
    "twice_images.toml": f'{IMAGES}["good", "good"]\n',
    "bins.toml": f'{IMAGES}["good"]\n',
    "tilted.toml": f'{IMAGES}["good"]\n[model]\nsignal = "anchored"\n'
    '[priors]\n"pointings.obs40010005001_FPMA.background_tilt[0]" = '
    '{ dist = "normal", mean = 0.0, sigma = 0.05 }\n',
    "tilted_other.toml": f'{IMAGES}["good"]\n[model]\nsignal = "anchored"\n'
    '[priors]\n"pointings.obs40010005002_FPMA.background_tilt[0]" = '
    '{ dist = "normal", mean = 0.0, sigma = 0.05 }\n',
}
# Both the main job and its limits alone.
JOINT_IMAGES = {
    "no folder of images": ("gone.toml", ["none", "cannot be read"]),
    "a word for images": ("word.toml", ["likelihoods.xray", "'good'", "a list of folders"]),
    "images twice": ("twice_images.toml", ["named twice"]),
    "bins of images": ("bins.toml", ["not the 14 bins of 5 keV", "anchored"]),
}
JOINT_TEMPLATES = {
    "paths of images": ("tilted.toml", ["background_tilt[0]", "flux points", "limit joint"]),
}
LIMIT_JOINT_IMAGES = JOINT_IMAGES | {
    "path of no image": ("tilted_other.toml", ["obs40010005002_FPMA", "obs40010005001_FPMA"]),
}

DATA = {
    "no folder": ("none", ["none", "cannot be read"]),
    "other files": ("images", ["images", "observation.toml", "nu40010005001A01_10to15keV_sk.img"]),
    "broken list": ("broken", ["broken/observation.toml", "cannot be read"]),
    "key": ("key", ["unknown key 'obsid'", "'obs_id'"]),
    "missing image": ("gone", ["none.img", "cannot be opened"]),
    "truncated image": ("cut", ["cut.img", "truncated"]),
    "empty image": ("empty", ["empty.img", "0 bytes"]),
    "not FITS": ("notes", ["notes.img", "not a FITS file"]),
    "background as counts": ("swapped", ["10to20keV_bgd.img", "background-subtracted"]),
    "bins": ("bins", ["bin 1 (15-30 keV) overlaps bin 0", "disjoint"]),
    "bins of headers": ("band", ["the header names 10-20 keV"]),
    "target": ("nobody", ["'quintuple'", "--cluster"]),
    "region": ("outside", ["lies outside of the image", "centre and radius"]),
    "stars": ("star", ["stars_bad.csv", "line 2", "weight = -1"]),
    "no stars": ("nostar", ["stars = 'stars.csv'", "no such file"]),
    "same folder": ("good good", ["good, good", "different folders"]),
    "radius": ("good --roi 0", ["--roi = 0 arcmin", "0 < radius"]),
    "radius nan": ("good --roi nan", ["--roi = nan", "0 < radius"]),
    "radius tiny": ("good --roi 0.001", ["ROI holds 0 pixels", "check region"]),
    "radius beyond": ("good --roi 4", ["radius 4 arcmin", "outside of the image"]),
    "cluster": ("good --cluster wd2", ["'wd2'", "'wd1'"]),
    "other cluster": ("good --cluster own.toml", ["own.toml", "'position.rra'", "ra"]),
    "psf": ("good --psf psf_bad.csv", ["psf_bad.csv", ">= 0"]),
    "no psf": ("good --psf none.fits", ["none.fits", "cannot be opened"]),
    "weights": ("good --stars stars_none.csv", ["stars_none.csv", "exactly one of weight"]),
    "grouping": ("good --by modul", ["--by", "'modul'", "'module'"]),
    "config": ("good --config key.toml", ["key.toml", "model.feild", "'field'"]),
    "existing results": ("good --out mine", ["mine", "--overwrite"]),
}

XRAY_FIT = DATA | {
    "no data": ("", ["DIR"]),
    "mass": ("good --mass 0", ["--masses", "'0'", "> 0"]),
    "signal": ("good --signal anchor", ["'anchor'", "'anchored'"]),
    "published signal": ("good --signal published", ["not the 14 bins of 5 keV", "anchored"]),
    "dark target": ("dim", ["arches", "no axion luminosity", "[luminosity]"]),
}

XRAY_FLUX = {k: v for k, v in DATA.items() if k != "same folder"} | {
    "no data": ("", ["DIR"]),
    "coupling": ("good --coupling -1e-12", ["--coupling = -1e-12", "> 0"]),
    "mass": ("good --mass 0", ["--mass = 0 eV", "> 0"]),
}

XRAY_SIMULATE = {
    "target": ("--cluster quintuple", ["'quintuple'", "'quintuplet'"]),
    "description": ("--cluster own.toml", ["own.toml", "'position.rra'"]),
    "exposure": ("--exposure -3", ["exposure_ks = -3 ks", "> 0"]),
    "exposure nan": ("--exposure nan", ["exposure_ks = nan", "finite"]),
    "coupling": ("--coupling -1e-12", ["coupling = -1e-12", "0 <= g"]),
    "mass": ("--coupling 1e-12 --mass -1", ["mass = -1 eV", "> 0"]),
    "dark target": ("--cluster dark.toml --coupling 1e-12", ["dark.toml", "[luminosity]"]),
    "bins": ("--bins 20,10", ["bins", "increase"]),
    "bins text": ("--bins ten", ["--bins", "'ten'", "numbers [keV]"]),
    "bins below": ("--bins 5,10", ["5-10 keV", "10-80 keV"]),
    "ghost rays": ("--cluster wd1 --bins 10,15,20", ["15-80 keV", "10-15 keV"]),
    "modules": ("--modules C", ["('C',)", "A, B or both"]),
    "radius": ("--roi -1", ["radius_arcmin = -1", "> 0"]),
    "field": ("--field 3", ["1.5 arcmin", "region of 2 arcmin"]),
    "pixel": ("--pixel 0", ["pixel factor = 0", "1 to 8"]),
    "events": ("--events --pixel 2", ["event lists", "pixel factor = 2"]),
    "tilt": ("--tilt 1,1", ["tilt", "0.4 per arcmin"]),
    "tilt of one": ("--tilt 0.1", ["--tilt", "two numbers"]),
    "background": ("--background 0", ["background_scale = 0", "> 0"]),
    "spread": ("--spread 0", ["spread = 0 arcsec", "> 0"]),
    "two kinds of stars": ("--spread 3 --stars stars_bad.csv", ["--stars", "--spread", "exclude"]),
    "stars": ("--stars stars_bad.csv", ["stars_bad.csv", "line 2"]),
    "psf": ("--psf psf_bad.csv", ["psf_bad.csv", ">= 0"]),
    "signal": ("--signal published", ["--signal published", "anchored"]),
    "injection without signal": ("--into good", ["--into", "--coupling > 0"]),
    "injection into nothing": ("--into none --coupling 1e-12", ["none", "cannot be read"]),
    "seed": ("--seed one", ["--seed", "valid integer"]),
    "existing results": ("--out mine", ["mine", "--overwrite"]),
}

LIMIT_DATA = {
    f"images: {name}": (f"--data {arguments}", words)
    for name, (arguments, words) in {
        "other files": DATA["other files"],
        "target": DATA["target"],
        "truncated": DATA["truncated image"],
        "radius": DATA["radius"],
        "grouping": DATA["grouping"],
        "existing results": DATA["existing results"],
        "twice": ("good --data good", ["good, good", "different folders"]),
        "spectrum": ("good --spectrum quintuplet=few.csv", ["--data", "--spectrum", "exclude"]),
        "signal": ("good --signal anchor", ["'anchor'", "'anchored'"]),
        "masses": ("good --masses 0", ["0", "> 0"]),
        "dark target": ("dim", ["arches", "[luminosity]"]),
    }.items()
} | {
    "images: radius without data": ("--roi 1.5", ["--roi", "--data DIR"]),
    "images: grouping without data": ("--by module", ["--by", "--data DIR"]),
}
