"""The papers and programs that diffaxion builds on, by key and by arXiv number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One entry of the bibliography.

    Attributes
    ----------
    key : str
        BibTeX key, by which modules may name the paper in ``references``.
    authors : str
        Authors in the form ``Surname, A. and Surname, B.``.
    title : str
        Title.
    year : int
        Year of publication.
    journal : str
        Journal, volume and page; empty for a preprint or a program.
    arxiv, doi, url : str
        Identifiers; empty if there is none.
    """

    key: str
    authors: str
    title: str
    year: int
    journal: str = ""
    arxiv: str = ""
    doi: str = ""
    url: str = ""


_ENTRIES = (
    Reference(
        "Dessert:2020lil",
        "Dessert, Christopher and Foster, Joshua W. and Safdi, Benjamin R.",
        "X-ray Searches for Axions from Super Star Clusters",
        2020,
        "Phys. Rev. Lett. 125, 261102",
        "2008.03305",
        "10.1103/PhysRevLett.125.261102",
    ),
    Reference(
        "Goldstein:2024mfp",
        "Goldstein, Samuel and McCarthy, Fiona and Mondino, Cristina and Hill, J. Colin and "
        "Huang, Junwu and Johnson, Matthew C.",
        "Constraints on axions from patchy screening of the cosmic microwave background",
        2024,
        arxiv="2409.10514",
    ),
    Reference(
        "Battaglia:2016xbi",
        "Battaglia, Nicholas",
        "The Tau of Galaxy Clusters",
        2016,
        "JCAP 08, 058",
        "1607.02442",
    ),
    Reference(
        "Battaglia:2011cq",
        "Battaglia, N. and Bond, J. R. and Pfrommer, C. and Sievers, J. L.",
        "On the Cluster Physics of Sunyaev-Zel'dovich and X-Ray Surveys. II. Deconstructing the "
        "Thermal SZ Power Spectrum",
        2012,
        "Astrophys. J. 758, 75",
        "1109.3711",
    ),
    Reference(
        "Navarro:1996gj",
        "Navarro, Julio F. and Frenk, Carlos S. and White, Simon D. M.",
        "A Universal Density Profile from Hierarchical Clustering",
        1997,
        "Astrophys. J. 490, 493",
        "astro-ph/9611107",
    ),
    Reference(
        "Nelson:2018uso",
        "Nelson, Dylan and others",
        "The IllustrisTNG Simulations: Public Data Release",
        2019,
        "Comput. Astrophys. Cosmol. 6, 2",
        "1812.05609",
    ),
    Reference(
        "Tinker:2008ff",
        "Tinker, Jeremy L. and others",
        "Toward a halo mass function for precision cosmology: The Limits of universality",
        2008,
        "Astrophys. J. 688, 709",
        "0803.2706",
    ),
    Reference(
        "Tinker:2010my",
        "Tinker, Jeremy L. and others",
        "The Large Scale Bias of Dark Matter Halos: Numerical Calibration and Model Tests",
        2010,
        "Astrophys. J. 724, 878",
        "1001.3162",
    ),
    Reference(
        "Duffy:2008pz",
        "Duffy, Alan R. and Schaye, Joop and Kay, Scott T. and Dalla Vecchia, Claudio",
        "Dark matter halo concentrations in the Wilkinson Microwave Anisotropy Probe year 5 "
        "cosmology",
        2008,
        "Mon. Not. Roy. Astron. Soc. 390, L64",
        "0804.2486",
    ),
    Reference(
        "Kusiak:2022xkt",
        "Kusiak, Aleksandra and Bolliet, Boris and Krolewski, Alex and Hill, J. Colin",
        "Constraining the galaxy-halo connection of infrared-selected unWISE galaxies with galaxy "
        "clustering and galaxy-CMB lensing power spectra",
        2022,
        "Phys. Rev. D 106, 123517",
        "2203.12583",
    ),
    Reference(
        "Krolewski:2019yrv",
        "Krolewski, Alex and Ferraro, Simone and Schlafly, Edward F. and White, Martin",
        "unWISE tomography of Planck CMB lensing",
        2020,
        "JCAP 05, 047",
        "1909.07412",
    ),
    Reference(
        "Eisenstein:1997ik",
        "Eisenstein, Daniel J. and Hu, Wayne",
        "Baryonic features in the matter transfer function",
        1998,
        "Astrophys. J. 496, 605",
        "astro-ph/9709112",
    ),
    Reference(
        "Lewis:1999bs",
        "Lewis, Antony and Challinor, Anthony and Lasenby, Anthony",
        "Efficient computation of CMB anisotropies in closed FRW models",
        2000,
        "Astrophys. J. 538, 473",
        "astro-ph/9911177",
    ),
    Reference(
        "Mondino:2024rif",
        "Mondino, Cristina and Pirvu, Dalila and Huang, Junwu and Johnson, Matthew C.",
        "Axion-Induced Patchy Screening of the Cosmic Microwave Background",
        2024,
        arxiv="2405.08059",
    ),
    Reference(
        "Jansson:2012pc",
        "Jansson, Ronnie and Farrar, Glennys R.",
        "A New Model of the Galactic Magnetic Field",
        2012,
        "Astrophys. J. 757, 14",
        "1204.3662",
    ),
    Reference(
        "Jansson:2012rt",
        "Jansson, Ronnie and Farrar, Glennys R.",
        "The Galactic Magnetic Field",
        2012,
        "Astrophys. J. Lett. 761, L11",
        "1210.7820",
    ),
    Reference(
        "Pshirkov:2011um",
        "Pshirkov, M. S. and Tinyakov, P. G. and Kronberg, P. P. and Newton-McGee, K. J.",
        "Deriving the Global Structure of the Galactic Magnetic Field from Faraday Rotation "
        "Measures of Extragalactic Sources",
        2011,
        "Astrophys. J. 738, 192",
        "1103.0814",
        "10.1088/0004-637X/738/2/192",
    ),
    Reference(
        "Unger:2023lob",
        "Unger, Michael and Farrar, Glennys R.",
        "The Coherent Magnetic Field of the Milky Way",
        2024,
        "Astrophys. J. 970, 95",
        "2311.12120",
    ),
    Reference(
        "Kleimann:2018",
        "Kleimann, Jens and Schorlepp, Timo and Merten, Lukas and Becker Tjus, Julia",
        "Solenoidal Improvements for the JF12 Galactic Magnetic Field Model",
        2019,
        "Astrophys. J. 877, 76",
        "1809.07528",
    ),
    Reference(
        "Yao:2017",
        "Yao, J. M. and Manchester, R. N. and Wang, N.",
        "A New Electron Density Model for Estimation of Pulsar and FRB Distances",
        2017,
        "Astrophys. J. 835, 29",
        "1610.09448",
    ),
    Reference(
        "Harrison:2013md",
        "Harrison, Fiona A. and others",
        "The Nuclear Spectroscopic Telescope Array (NuSTAR) High-Energy X-Ray Mission",
        2013,
        "Astrophys. J. 770, 103",
        "1301.7307",
        "10.1088/0004-637X/770/2/103",
    ),
    Reference(
        "Cowan:2010js",
        "Cowan, Glen and Cranmer, Kyle and Gross, Eilam and Vitells, Ofer",
        "Asymptotic formulae for likelihood-based tests of new physics",
        2011,
        "Eur. Phys. J. C 71, 1554",
        "1007.1727",
        "10.1140/epjc/s10052-011-1554-0",
    ),
    Reference(
        "CAST:2017uph",
        "Anastassopoulos, V. and others",
        "New CAST Limit on the Axion-Photon Interaction",
        2017,
        "Nature Phys. 13, 584",
        "1705.02290",
        "10.1038/nphys4109",
    ),
    Reference(
        "Marsh:2017yvc",
        "Marsh, M. C. David and Russell, Helen R. and Fabian, Andrew C. and McNamara, Brian P. "
        "and Nulsen, Paul and Reynolds, Christopher S.",
        "A New Bound on Axion-Like Particles",
        2017,
        "JCAP 12, 036",
        "1703.07354",
        "10.1088/1475-7516/2017/12/036",
    ),
    Reference(
        "Reynolds:2019uqt",
        "Reynolds, Christopher S. and Marsh, M. C. David and Russell, Helen R. and "
        "Fabian, Andrew C. and Smith, Robyn and Tombesi, Francesco and Veilleux, Sylvain",
        "Astrophysical Limits on Very Light Axion-like Particles from Chandra Grating "
        "Spectroscopy of NGC 1275",
        2020,
        "Astrophys. J. 890, 59",
        "1907.05475",
        "10.3847/1538-4357/ab6a0c",
    ),
    Reference(
        "Reynes:2021bpe",
        "Sisk-Reynes, Julia and Matthews, James H. and Reynolds, Christopher S. and "
        "Russell, Helen R. and Smith, Robyn N. and Marsh, M. C. David",
        "New constraints on light Axion-Like Particles using Chandra Transmission Grating "
        "Spectroscopy of the powerful cluster-hosted quasar H1821+643",
        2021,
        arxiv="2109.03261",
    ),
    Reference(
        "Ning:2024eky",
        "Ning, Orion and Safdi, Benjamin R.",
        "Leading Axion-Photon Sensitivity with NuSTAR Observations of M82 and M87",
        2025,
        "Phys. Rev. Lett. 134, 171003",
        "2404.14476",
        "10.1103/PhysRevLett.134.171003",
    ),
    Reference(
        "Hoof:2022xbe",
        "Hoof, Sebastian and Schulz, Lena",
        "Updated constraints on axion-like particles from temporal information in supernova "
        "SN1987A gamma-ray data",
        2023,
        "JCAP 03, 054",
        "2212.09764",
        "10.1088/1475-7516/2023/03/054",
    ),
    Reference(
        "AxionLimits",
        "O'Hare, Ciaran",
        "cajohare/AxionLimits: AxionLimits",
        2020,
        "Zenodo, v1.0",
        doi="10.5281/zenodo.3932430",
        url="https://cajohare.github.io/AxionLimits/",
    ),
    Reference(
        "jax2018github",
        "Bradbury, James and Frostig, Roy and Hawkins, Peter and Johnson, Matthew James and others",
        "JAX: composable transformations of Python+NumPy programs",
        2018,
        url="http://github.com/jax-ml/jax",
    ),
    Reference(
        "kidger2021equinox",
        "Kidger, Patrick and Garcia, Cristian",
        "Equinox: neural networks in JAX via callable PyTrees and filtered transformations",
        2021,
        "Differentiable Programming workshop at NeurIPS 2021",
    ),
    Reference(
        "phan2019composable",
        "Phan, Du and Pradhan, Neeraj and Jankowiak, Martin",
        "Composable Effects for Flexible and Accelerated Probabilistic Programming in NumPyro",
        2019,
        arxiv="1912.11554",
    ),
)

BIBLIOGRAPHY: dict[str, Reference] = {entry.key: entry for entry in _ENTRIES}
BY_ARXIV: dict[str, Reference] = {entry.arxiv: entry for entry in _ENTRIES if entry.arxiv}
SOFTWARE = ("jax2018github", "kidger2021equinox", "phan2019composable")
