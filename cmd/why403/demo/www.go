package demo

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// www is the shop's pages: forms with CSRF tokens, a login, a stream of events.
func (s *Server) www() http.Handler {
	pages := make(map[string]http.Handler)
	for path, view := range map[string]methods{
		"/":              {"GET": gzipped(s.home)},
		"/login/":        {"GET": s.loginForm, "POST": s.loginSubmit},
		"/account/":      {"GET": s.account},
		"/checkout/":     {"GET": s.checkoutForm, "POST": s.checkout},
		"/basket/clear/": {"POST": s.clearBasket},
		"/events/":       {"GET": s.events},
		"/report/":       {"GET": s.report},
	} {
		pages[path] = s.site(view)
	}
	return named("shop-web/4.2", appendSlash(pages))
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	csrfToken(w, r)
	answerHTML(w, http.StatusOK, page("Tea and more", "<h1>Tea and more</h1>\n"+strings.Repeat("<p>A tea that somebody likes.</p>\n", 20)))
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	answerHTML(w, http.StatusOK, page("Log in", form("/login/", csrfToken(w, r), `<input name="username"><input name="password" type="password">`)))
}

func (s *Server) loginSubmit(w http.ResponseWriter, r *http.Request) {
	user := r.PostFormValue("username")
	if a, ok := accounts[user]; !ok || a.password != r.PostFormValue("password") {
		answerHTML(w, http.StatusOK, page("Log in", "<p>Please enter a correct username and password.</p>\n"+form("/login/", csrfToken(w, r), "")))
		return
	}
	s.login(w, user)
	w.Header().Set("Location", "/account/")
	answerHTML(w, http.StatusFound, "")
}

func (s *Server) account(w http.ResponseWriter, r *http.Request) {
	user := s.user(r)
	if user == "" {
		w.Header().Set("Location", "/login/?next=/account/")
		answerHTML(w, http.StatusFound, "")
		return
	}
	answerHTML(w, http.StatusOK, page("Your account", "<h1>Hello "+user+"</h1>"))
}

func (s *Server) checkoutForm(w http.ResponseWriter, r *http.Request) {
	answerHTML(w, http.StatusOK, page("Checkout", form("/checkout/", csrfToken(w, r), `<input name="address"><input name="gift" type="checkbox">`)))
}

func (s *Server) checkout(w http.ResponseWriter, _ *http.Request) {
	answerHTML(w, http.StatusOK, page("Thank you", "<h1>Thank you</h1>\n<p>Your tea is on its way.</p>"))
}

func (s *Server) clearBasket(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]int{"items": 0})
}

// form is a form with Django's hidden token field.
func form(action, secret, fields string) string {
	return fmt.Sprintf("<form method=\"post\" action=\"%s\">\n  <input type=\"hidden\" name=\"%s\" value=\"%s\">\n  %s\n  <button>Send</button>\n</form>",
		action, csrfField, masked(secret), fields)
}

// events is a stream of five server-sent events, one Beat apart.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	out := http.NewResponseController(w)
	for n := 1; n <= 5; n++ {
		fmt.Fprintf(w, "id: %d\nevent: stock\ndata: {\"sku\":\"A%d\",\"left\":%d}\n\n", n, n, 40-7*n)
		if out.Flush() != nil {
			return
		}
		s.rest(r, 1)
	}
}

// report takes its time: three Beats until the answer begins.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	s.rest(r, 3)
	answerJSON(w, http.StatusOK, map[string]any{"month": s.now().UTC().Format("2006-01"), "orders": 812, "revenue": "19334.20"})
}

// rest waits some Beats. If the client or the server goes away meanwhile, it
// breaks the answer off: half a stream must not look like a whole one.
func (s *Server) rest(r *http.Request, beats int) {
	t := time.NewTimer(time.Duration(beats) * s.Beat)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// cdn serves the script with an ETag, so that a second look gets 304.
func (s *Server) cdn() http.Handler {
	return handle{
		"GET /app.9f2c.js": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"9f2c-7b"`)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			http.ServeContent(w, r, "app.9f2c.js", scriptDate, strings.NewReader(script))
		}),
	}.as("shop-cdn/1.0")
}
