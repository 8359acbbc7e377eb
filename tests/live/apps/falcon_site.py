"""An interface in Falcon that computes: numpy keeps its error state with the thread state, lxml calls Python from C."""

import asyncio

import falcon
import numpy
import support
from lxml import etree

SHEET = etree.XSLT(etree.XML("""
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:param name="who"/>
  <xsl:template match="/goods"><list for="{$who}"><xsl:apply-templates><xsl:sort select="@name"/></xsl:apply-templates></list></xsl:template>
  <xsl:template match="good"><item><xsl:value-of select="@name"/>: <xsl:value-of select="price * 2"/></item></xsl:template>
</xsl:stylesheet>"""))


class Begin:
    def process_request(self, req, resp):
        support.visitor.set(req.get_param("name") or "nobody")
        support.collected.set([])

    def process_response(self, req, resp, resource, succeeded):
        resp.set_header("X-Visitor", support.visitor.get())


class Matrix:
    def on_get(self, req, resp, size):
        numbers = numpy.arange(1, size * size + 1, dtype=float).reshape(size, size) + numpy.eye(size)
        # No error is raised or printed here: numpy does that by PyGILState_Ensure with the GIL held, which waits for
        # ever in every interpreter but the main one, under any server.
        with numpy.errstate(all="ignore"):
            divided = str(numpy.ones(2) / numpy.zeros(2))
            inside = numpy.geterr()
        resp.media = {
            "determinant": "%.6f" % numpy.linalg.det(numbers),
            "solution": ["%.6f" % x for x in numpy.linalg.solve(numbers, numpy.ones(size))],
            "divided": divided,
            "inside": inside,
            "state": numpy.geterr(),
        }


class Transformed:
    def on_post(self, req, resp):
        goods = etree.Element("goods")
        for name, price in sorted(req.get_media().items()):
            good = etree.SubElement(goods, "good", name=name)
            etree.SubElement(good, "price").text = price
        resp.text = str(SHEET(goods, who=etree.XSLT.strparam(support.visitor.get())))
        resp.content_type = "application/xml"


class Parsed:
    """A parser in C that calls a target in Python, and stops where that raises."""

    def on_get(self, req, resp, count):
        found = []

        class Target:
            def start(self, tag, attributes):
                found.append(tag)
                if len(found) > count:
                    raise LookupError(tag)

            def close(self):
                return "closed"

        try:
            ended = etree.fromstring("<a><b><c/><d/></b></a>", etree.XMLParser(target=Target()))
        except LookupError as error:
            ended = repr(error)
        extension = {(None, "visitor"): lambda context: "said by Python"}
        said = etree.XML("<a/>").xpath("visitor()", extensions=extension)
        resp.media = {"found": found, "ended": ended, "said": said}


class Gathered:
    def on_get(self, req, resp, name):
        async def part(number):
            support.visitor.set("%s %d" % (name, number))
            await asyncio.sleep(0)
            return support.visitor.get()

        async def together():
            return await asyncio.gather(*(part(number) for number in range(4)))

        resp.media = {"parts": asyncio.run(together()), "own": support.visitor.get()}


class Failing:
    def on_get(self, req, resp):
        raise falcon.HTTPUnprocessableEntity(title="no", description=support.visitor.get())


application = falcon.App(middleware=[Begin()])
application.add_route("/matrix/{size:int(min=1, max=8)}", Matrix())
application.add_route("/transformed", Transformed())
application.add_route("/parsed/{count:int}", Parsed())
application.add_route("/gathered/{name}", Gathered())
application.add_route("/failing", Failing())
application.req_options.media_handlers[falcon.MEDIA_URLENCODED] = falcon.media.URLEncodedFormHandler()
