//! The treemap, in a real browser.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::artifacts::{artifacts, inspected};
use crate::browser;
use crate::layout::Layout;
use crate::support::command::{pybundle, succeed};

/// The invariants of every view. `problems` lists the violations.
const CHECKS: &str = r##"
    const pause = () => new Promise((resolve) => setTimeout(resolve, 60));
    const map = document.getElementById("map");
    const problems = [];
    const inside = (inner, outer, slack) => inner.left >= outer.left - slack && inner.top >= outer.top - slack
        && inner.right <= outer.right + slack && inner.bottom <= outer.bottom + slack;
    const look = (view) => {
        let cells = 0;
        for (const parent of [map, ...map.querySelectorAll(".frame")]) {
            const children = [...parent.children].filter((child) => child.dataset.size);
            const boxes = children.map((child) => child.getBoundingClientRect());
            cells += children.filter((child) => child.classList.contains("cell")).length;
            // Areas are as the sizes are; of frames and lone cells, a gap of 3 pixels is taken off.
            const gap = parent === map ? 3 : 0;
            const areas = boxes.map((box) => (box.width + gap) * (box.height + gap));
            const whole = areas.reduce((so, area) => so + area, 0);
            const sizes = children.map((child) => Number(child.dataset.size));
            const total = sizes.reduce((so, size) => so + size, 0);
            sizes.forEach((size, index) => {
                const [stated, drawn] = [size / total, areas[index] / whole];
                if (Math.abs(stated - drawn) > 0.004 + 0.02 * stated) problems.push(`${view}: ${children[index].ariaLabel} has ${drawn}, not ${stated}`);
            });
            boxes.forEach((box, index) => {
                if (!inside(box, parent.getBoundingClientRect(), 1)) problems.push(`${view}: ${children[index].ariaLabel} is not in its frame`);
                for (const other of boxes.slice(index + 1, index + 40)) {
                    const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
                    const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
                    if (wide > 0.6 && high > 0.6) problems.push(`${view}: ${children[index].ariaLabel} overlaps another`);
                }
            });
        }
        for (const text of map.querySelectorAll(".label, .head")) {
            if (!inside(text.getBoundingClientRect(), text.parentElement.getBoundingClientRect(), 0.5)) problems.push(`${view}: the text ${text.textContent} escapes`);
        }
        if (document.documentElement.scrollWidth > innerWidth) problems.push(`${view}: the page is wider than its window`);
        return cells;
    };
"##;

fn drawn(artifact: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("map.html");
    succeed(&mut pybundle(&["inspect", artifact, "--quiet", "--html", page.to_str().unwrap()]));
    (directory, page)
}

fn run(page: &std::path::Path, size: (u32, u32), is_dark: bool, script: &str) -> Value {
    let value = browser::run(page, size, is_dark, &format!("{CHECKS}\n{script}"));
    assert_eq!(value["problems"], serde_json::json!([]));
    value
}

#[test]
fn areas_are_as_the_sizes_and_every_way_in_leads_back() {
    let image = artifacts().image();
    let (_directory, page) = drawn(&image);
    let value = run(
        &page,
        (1280, 800),
        false,
        r##"
        const cells = look("all");
        const names = [...map.querySelectorAll(".frame > .head > .name")].map((name) => name.textContent);
        const numpy = [...map.querySelectorAll(".frame")].find((frame) => frame.textContent.startsWith("numpy 2.1.3"));
        const sizes = { numpy: Number(numpy.dataset.size) };
        numpy.querySelector(".cell").click();
        await pause();
        look("numpy");
        const within = [...map.querySelectorAll(".frame > .head > .name")].map((name) => name.textContent);
        const crumbs = document.querySelector("nav").textContent;
        const key = (key, target) => (target || document.activeElement).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        key("Escape", document.body);
        await pause();
        const back = look("back");
        // By keyboard: to the second frame, in, and out again.
        map.firstElementChild.focus();
        key("ArrowRight");
        const focused = document.activeElement.ariaLabel;
        key("Enter");
        await pause();
        const entered = document.querySelector("nav .here").textContent;
        key("Backspace");
        await pause();
        document.querySelector("[data-measure=unpacked]").click();
        await pause();
        look("unpacked");
        const frame = [...map.querySelectorAll(".frame")].find((frame) => frame.textContent.startsWith("numpy 2.1.3"));
        sizes.unpacked = Number(frame.dataset.size);
        key("/", document.body);
        const search = document.activeElement;
        search.value = "OpenBLAS";
        search.dispatchEvent(new Event("input"));
        const found = [...map.querySelectorAll(".found")].map((cell) => cell.node.path || cell.node.name);
        const said = document.querySelector("nav output").textContent;
        const legend = [...document.querySelectorAll("#legend .text")].map((text) => text.textContent);
        const colours = new Set([...map.querySelectorAll(".cell:not(.rest)")].map((cell) => getComputedStyle(cell).backgroundColor)).size;
        map.querySelector(".found").dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 200, clientY: 200 }));
        const tip = document.getElementById("tip").textContent;
        return { problems, cells, back, names, within, crumbs, focused, entered, sizes, found, said, legend, colours, tip };
        "##,
    );
    let report = inspected(&image, &[]);
    let row = |name: &str| report["contents"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(value["sizes"]["numpy"], row("numpy")["compressed_size"]);
    assert_eq!(value["sizes"]["unpacked"], row("numpy")["size"]);
    assert!(value["cells"].as_u64().unwrap() > 300 && value["cells"] == value["back"], "{value:#}");
    assert!(value["names"].as_array().unwrap().iter().any(|name| name == "base image"), "{value:#}");
    // A distribution is grouped by its first directories.
    assert!(value["names"].as_array().unwrap().iter().any(|name| name == "numpy.libs"), "{value:#}");
    let within: Vec<&str> = value["within"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(within.contains(&"numpy") && within.contains(&"numpy.libs"), "{within:?}");
    assert_eq!(value["crumbs"].as_str().unwrap().split("numpy 2.1.3").next(), Some("all›"));
    assert!(
        value["focused"].as_str().unwrap().starts_with(value["entered"].as_str().unwrap().split(' ').next().unwrap())
    );
    let found: Vec<&str> = value["found"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(found.iter().any(|path| path.contains("openblas")), "{found:?}");
    assert!(value["said"].as_str().unwrap().starts_with("found "), "{}", value["said"]);
    let legend: Vec<&str> = value["legend"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(legend.len(), report["layers"].as_array().unwrap().len());
    assert!(legend.contains(&"numpy 2.1.3") && legend.contains(&"the application") && legend[0].starts_with("base: "));
    assert!(value["colours"].as_u64().unwrap() >= 4, "{value:#}");
    assert!(value["tip"].as_str().unwrap().contains("packed") && value["tip"].as_str().unwrap().contains("layer"));
}

#[test]
fn it_fits_a_narrow_window_in_the_dark() {
    let (_directory, page) = drawn(&artifacts().zip());
    let value = run(
        &page,
        (500, 800),
        true,
        r##"
        const cells = look("narrow");
        const style = getComputedStyle(document.body);
        document.querySelector("#legend button").click();
        const dimmed = map.classList.contains("filtered");
        return { problems, cells, paper: style.backgroundColor, dimmed };
        "##,
    );
    assert!(value["cells"].as_u64().unwrap() > 100 && value["dimmed"] == true, "{value:#}");
    assert_eq!(value["paper"], "rgb(21, 24, 27)");
}

#[test]
fn whatever_files_are_called_stays_text() {
    let hostile = [
        "app/</script><script>errors.push('ran')</script>.py",
        "app/<img src=x onerror=errors.push('ran')>.py",
        "app/--><!--.py",
        "app/{{data}}\u{2028}'\"&amp;.py",
        "app/\u{202e}yp.sj",
        "app/constructor/__proto__/toString",
    ];
    let layout = Layout::of(&artifacts().small_image());
    let last = layout.layers().len() - 1;
    layout.edit_layer(last, |_| {
        let mut tar = tar::Builder::new(Vec::new());
        for path in hostile {
            let mut header = tar::Header::new_gnu();
            header.set_size(40_000);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append_data(&mut header, path, &[7; 40_000][..]).unwrap();
        }
        tar.into_inner().unwrap()
    });
    layout.edit_config(|config| {
        config["history"].as_array_mut().unwrap().last_mut().unwrap()["comment"] = "</script><b>".into()
    });
    let (_directory, page) = drawn(&layout.name());
    let value = run(
        &page,
        (900, 700),
        false,
        r##"
        look("hostile");
        const find = (text) => {
            document.getElementById("search").value = text;
            document.getElementById("search").dispatchEvent(new Event("input"));
            return document.querySelector("nav output").textContent;
        };
        const paths = JSON.parse(document.getElementById("data").textContent).groups.flatMap((group) => group[3].map((file) => file[0]));
        return { problems, paths, said: find("<img"), scripts: document.scripts.length, images: document.images.length, bold: document.querySelectorAll("#legend b").length };
        "##,
    );
    let paths: Vec<&str> = value["paths"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for path in hostile {
        assert!(paths.contains(&path.replace("//", "/").as_str()), "{path}");
    }
    // The data, the page's script and the test's two.
    assert_eq!((&value["scripts"], &value["images"], &value["bold"]), (&4.into(), &0.into(), &0.into()));
    assert!(value["said"].as_str().unwrap().starts_with("found 1 file,"), "{}", value["said"]);
    // The terminal sees no control characters either.
    let printed = succeed(&mut pybundle(&["inspect", &layout.name(), "--files"]));
    assert!(!printed.contains(['\u{202e}', '\u{2028}']) && printed.contains("\\u{202e}yp.sj"));
}

#[test]
fn the_page_needs_nothing_else_and_is_always_the_same() {
    let zip = artifacts().zip();
    let ((_one, first), (_other, second)) = (drawn(&zip), drawn(&zip));
    let text = fs::read_to_string(first).unwrap();
    assert_eq!(text, fs::read_to_string(second).unwrap());
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch(", "innerHTML"] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(!text.contains(zip.trim_end_matches("science.zip")), "a path of this machine is in it");
    assert!(text.contains("<title>science.zip</title>") && text.contains("<noscript><table>"));
}

/// Otherwise, each look at an artifact would change the next one.
#[test]
fn a_page_in_the_project_is_not_bundled() {
    let (_directory, page) = drawn(&artifacts().zip());
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("app.py"), "def handler(event, context): ...\n").unwrap();
    fs::write(project.path().join("index.html"), "<!doctype html>\n<meta charset=\"utf-8\">\n").unwrap();
    fs::copy(page, project.path().join("map.html")).unwrap();
    let planned = succeed(&mut pybundle(&["plan", project.path().to_str().unwrap()]));
    assert!(planned.contains("application: app.py, index.html\nomitted: map.html (build output)\n"), "{planned}");
}
