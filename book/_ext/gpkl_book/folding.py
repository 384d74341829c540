"""Folds: admonitions of class ``dropdown`` as native ``<details>``, keyboard and screen reader included and no script;
and folded solutions that say what they are."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import admonitionlabels
from sphinx.transforms.post_transforms import SphinxPostTransform


class folded(nodes.General, nodes.Element):
    """A block that is closed at first."""


class folded_title(nodes.General, nodes.TextElement):
    """The title of such a block, which is seen while it is closed."""


class FoldAdmonitions(SphinxPostTransform):
    """Put a ``folded`` in the place of each admonition of class ``dropdown``."""

    default_priority = 300
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Replace them, the inner ones too."""
        found = [node for node in self.document.findall(nodes.Admonition) if "dropdown" in node["classes"]]
        for node in found:
            children = list(node.children)
            if children and isinstance(children[0], nodes.title):
                title = folded_title("", "", *children.pop(0).children)
            else:
                title = folded_title("", str(admonitionlabels[node.tagname]))
            kind = ["admonition", *([] if node.tagname == "admonition" else [node.tagname])]
            new = folded("", title, *children, classes=[*kind, *node["classes"]], ids=node["ids"])
            node.replace_self(new)


class NameSolutions(SphinxPostTransform):
    """Let the fold over a cell tagged ``solution`` say that a solution is inside."""

    default_priority = 198  # before myst-nb's 199 wraps the cells
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Set the prompts of these cells."""
        for node in self.document.findall(nodes.container):
            if "tag_solution" in node["classes"]:
                node["prompt_show"], node["prompt_hide"] = "Show a solution", "Hide the solution"


def visit_folded(writer: Any, node: nodes.Element) -> None:
    """Open the block."""
    writer.body.append(writer.starttag(node, "details"))


def depart_folded(writer: Any, node: nodes.Element) -> None:
    """Close the block."""
    writer.body.append("</details>\n")


def visit_title(writer: Any, node: nodes.Element) -> None:
    """Open its title."""
    writer.body.append(writer.starttag(node, "summary", "", CLASS="admonition-title"))


def depart_title(writer: Any, node: nodes.Element) -> None:
    """Close its title."""
    writer.body.append("</summary>\n")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_node(folded, html=(visit_folded, depart_folded))
    app.add_node(folded_title, html=(visit_title, depart_title))
    app.add_post_transform(FoldAdmonitions)
    app.add_post_transform(NameSolutions)
