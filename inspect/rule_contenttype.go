package inspect

var contentType = &Rule{
	Name: "content-type", Cause: ContentTypeMismatch, Title: "Content-Type is not what the body is, or not what was accepted", Item: 3,
	Doc: `Endpoints consume certain media types (415, or 403 and 400 in its place). A JSON body under text/plain or as a form (curl -d without a header) is the classic. Guards against CSRF refuse the
types that a form of another site can send: text/plain, application/x-www-form-urlencoded, multipart/form-data (Fetch standard, "CORS-safelisted request-header").`,
	Run: func(c *Case) []Finding {
		q := c.req()
		if len(q.Body.Data) == 0 || c.AnswerSpeaksFor(Not(ContentTypeMismatch)) {
			return nil
		}
		sent := Evidence{Where: "request.header:Content-Type", Quote: q.Header.Get("Content-Type")}
		mismatch := bodyMismatch(q)
		if t := mediaType(c.okReq()); c.Success != nil && t != "" && t != mediaType(q) {
			f := because("Content-Type is %s; the accepted request #%d had %s", orNone(mediaType(q)), c.Success.ID, t).Quote(sent).Quote(Evidence{Where: "diff", Quote: c.okReq().Header.Get("Content-Type")})
			if looksLike(q) == looksLike(c.okReq()) || mismatch != "" {
				f = f.With("send the accepted Content-Type", setHeader(q, "Content-Type", c.okReq().Header.Get("Content-Type")))
			}
			if c.Success.Path() != c.Flow.Path() {
				return f.Possible()
			}
			return f.Likely()
		}
		if mine, theirs := q.Header.Get("Content-Type"), c.okReq().Header.Get("Content-Type"); mismatch == "" && c.Success != nil && mine != theirs && mediaType(q) == mediaType(c.okReq()) &&
			mediaType(q) != "multipart/form-data" && !c.othersDifferHeader("Content-Type") {
			return because("Content-Type is %s; the accepted request #%d had %s, and nothing else differs", clip(mine, 60), c.Success.ID, clip(theirs, 60)).Quote(sent).Quote(Evidence{Where: "diff", Quote: theirs}).
				With("send the accepted Content-Type", setHeader(q, "Content-Type", theirs)).Likely()
		}
		if mismatch == "" {
			return nil
		}
		f := because("%s", mismatch).On(ByComputation).Quote(sent)
		if t := typeFor(q); t != "" {
			f = f.With("say what the body is", setHeader(q, "Content-Type", t))
		}
		if c.AnswerHints(Any(ContentTypeMismatch)) {
			return f.Likely()
		}
		if mediaType(q) == "" || c.boilerplate() {
			f.Basis = ByHabit // many servers do not mind, and a web server's own page tells of none that does
		}
		return f.Possible()
	},
}
