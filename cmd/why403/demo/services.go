package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// services are the hosts of the shop, each with the manners of one kind of framework.
func (s *Server) services() map[string]http.Handler {
	return map[string]http.Handler{
		"www":     s.www(),
		"api":     s.shopAPI(),
		"id":      s.id(),
		"pay":     s.pay(),
		"catalog": s.catalog(),
		"partner": s.partner(),
		"cdn":     s.cdn(),
	}
}

// shopAPI is what the shop's pages call: session cookie and CSRF token.
func (s *Server) shopAPI() http.Handler {
	return handle{
		"/v1/orders": s.api(methods{"GET": gzipped(s.listOrders), "POST": s.placeOrder}),
		"/v1/cart":   s.api(methods{"GET": s.cart}),
		"/v1/profile": s.api(methods{
			"GET":   func(w http.ResponseWriter, r *http.Request) { answerJSON(w, http.StatusOK, profile{s.user(r), "en"}) },
			"PATCH": s.changeProfile,
		}),
	}.as("shop-api/4.2")
}

type profile struct {
	Name     string `json:"name"`
	Language string `json:"language"`
}

type line struct {
	SKU string `json:"sku"`
	Qty int    `json:"qty"`
}

type order struct {
	ID     int64  `json:"id"`
	Status string `json:"status"`
	Items  []line `json:"items,omitempty"`
}

func (s *Server) listOrders(w http.ResponseWriter, _ *http.Request) {
	last := 4100 + s.orders.Load()
	list := make([]order, 0, 20)
	for id := last; id > last-20; id-- {
		list = append(list, order{id, "shipped", []line{{fmt.Sprintf("A%d", id%7), int(id%3) + 1}}})
	}
	answerJSON(w, http.StatusOK, map[string]any{"count": last, "results": list})
}

func (s *Server) placeOrder(w http.ResponseWriter, r *http.Request) {
	var in struct{ Items []line }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answerJSON(w, http.StatusBadRequest, detail{"JSON parse error - " + err.Error()})
		return
	}
	id := 4100 + s.orders.Add(1)
	w.Header().Set("Location", fmt.Sprintf("/v1/orders/%d", id))
	answerJSON(w, http.StatusCreated, order{id, "placed", in.Items})
}

func (s *Server) cart(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{"items": []line{{"A1", 2}, {"C7", 1}}, "total": "23.80", "currency": "EUR"})
}

func (s *Server) changeProfile(w http.ResponseWriter, r *http.Request) {
	p := profile{Name: s.user(r), Language: "en"}
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		answerJSON(w, http.StatusBadRequest, detail{"JSON parse error - " + err.Error()})
		return
	}
	answerJSON(w, http.StatusOK, p)
}

// id is the identity provider.
func (s *Server) id() http.Handler {
	return handle{
		"POST /oauth/token": http.HandlerFunc(s.token),
		"GET /.well-known/openid-configuration": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=3600")
			answerJSON(w, http.StatusOK, map[string]any{
				"issuer": issuer, "token_endpoint": issuer + "/oauth/token",
				"grant_types_supported": []string{"password"}, "id_token_signing_alg_values_supported": []string{"HS256"},
			})
		}),
	}.as("shop-id/1.7")
}

// invoices belong to somebody; only the owner may cancel them.
var invoices = map[string]string{"4711": "lena", "4712": "tom"}

// pay takes bearer tokens for the audience shop-pay.
func (s *Server) pay() http.Handler {
	const audience = "shop-pay"
	return handle{
		"GET /v1/payments":              s.bearer(audience, "payments:read", http.HandlerFunc(listPayments)),
		"POST /v1/payments":             s.bearer(audience, "payments:write", created("pay")),
		"POST /v1/refunds":              s.bearer(audience, "refunds:write", created("ref")),
		"POST /v1/payouts":              s.bearer(audience, "payments:write", created("out")),
		"POST /v1/invoices/{id}/cancel": s.bearer(audience, "payments:write", owned("invoice", invoices, done("cancelled"))),
	}.as("shop-pay/2.3")
}

func listPayments(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{"data": []map[string]any{{"id": "pay_1", "amount": 2380}, {"id": "pay_2", "amount": 990}}})
}

// catalog takes bearer tokens or API keys, and knows exactly its routes.
func (s *Server) catalog() http.Handler {
	const audience = "shop-catalog"
	mux := http.NewServeMux()
	for pattern, h := range (handle{
		"GET /v1/products":               gzipped(listProducts),
		"POST /v1/products":              s.bearer(audience, "catalog:write", jsonOnly(created("prod"))),
		"POST /v1/products/{id}/publish": s.bearer(audience, "catalog:write", role("publish products", []string{"editor", "admin"}, done("published"))),
		"POST /v1/reviews":               s.bearer(audience, "", jsonOnly(created("rev"))),
		"POST /v1/carts":                 jsonOnly(created("cart")),
		"POST /v1/search":                s.limited(http.HandlerFunc(search)),
	}) {
		mux.Handle(pattern, h)
	}
	clock := func() string { return s.now().UTC().Format("2006-01-02T15:04:05.000Z07:00") }
	return named("shop-catalog/3.1", knownOnly(mux, clock))
}

func listProducts(w http.ResponseWriter, _ *http.Request) {
	products := make([]map[string]any, 24)
	for i := range products {
		products[i] = map[string]any{"sku": fmt.Sprintf("A%d", i+1), "name": fmt.Sprintf("Tea no. %d", i+1), "price": fmt.Sprintf("%d.90", 4+i%9)}
	}
	w.Header().Set("Cache-Control", "max-age=60")
	answerJSON(w, http.StatusOK, products)
}

func search(w http.ResponseWriter, r *http.Request) {
	var in struct{ Query string }
	json.NewDecoder(r.Body).Decode(&in) // an empty query finds everything
	answerJSON(w, http.StatusOK, map[string]any{"query": in.Query, "hits": []string{"A1", "A4", "C7"}})
}

// partner is for other companies' machines and pages.
func (s *Server) partner() http.Handler {
	return handle{
		"POST /v1/imports":    wellFormed(created("imp")),
		"POST /v1/newsletter": sameOrigin(created("sub")),
		"POST /v1/webhooks":   needs("X-Tenant-ID", created("hook")),
		"POST /v1/shipments":  s.bearer("shop-partner", "", created("ship")),
	}.as("shop-partner/1.4")
}

// created answers like a service that stored the body as a new object of a kind.
func created(kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := fmt.Sprintf("%s_%x", kind, newSecret()[:6])
		w.Header().Set("Location", r.URL.Path+"/"+id)
		answerJSON(w, http.StatusCreated, struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		}{id, "created"})
	})
}

// done answers like a service that changed the object of the path.
func done(status string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, http.StatusOK, struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		}{r.PathValue("id"), status})
	})
}

// script is the only file of the shop's CDN; its name carries its version.
const script = `"use strict";fetch("https://api.shop.test/v1/cart",{credentials:"include"}).then(r=>r.json()).then(c=>{document.title=c.total});` + "\n"

var scriptDate = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
