"""HTML put together from elements, so that no text gets into a page without being escaped."""

import html

__all__ = ["Html", "element", "join", "table"]


class Html(str):
    """Text that is HTML already; all other text is escaped where it enters an element."""

    __slots__ = ()


def element(name: str, *content: str | None, **attributes: str | int | None) -> Html:
    """Return an element.

    Parameters
    ----------
    name : str
        Of the element.
    *content : str or None
        What stands in it; None is nothing. Text that is not `Html` is escaped.
    **attributes : str, int or None
        A trailing underscore goes (``class_``), other underscores become hyphens; None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in {"img", "br"}:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*content)}</{name}>")


def join(*content: str | None, between: str = "") -> Html:
    """Return pieces one after the other, escaped where they are not `Html`."""
    pieces = (each if isinstance(each, Html) else html.escape(each) for each in content if each)
    return Html(between.join(pieces))


def table(caption: str, head: list[str], *bodies: Html) -> Html:
    """Return a table that scrolls on its own where the page is too narrow for it.

    Parameters
    ----------
    caption : str
        Its name, shown above it.
    head : list of str
        Headings of the columns.
    *bodies : Html
        The ``tbody`` elements.
    """
    headings = element("tr", *(element("th", title, scope="col") for title in head))
    # in a span, which stays in sight while the table under it scrolls
    name = element("caption", element("span", caption))
    whole = element("table", name, element("thead", headings), *bodies)
    # a part that scrolls must be reachable without a mouse, and then it needs a name
    return element("div", whole, class_="wide", tabindex=0, role="region", aria_label=caption)
