// controller is an ingress controller as small as tests need it, for where Traefik's image cannot be pulled: it takes
// Traefik's place in ingress.yaml, with its ports, its rights and its /ping. Once a second it reads all Ingresses, of
// whatever class, and the HTTPRoutes of whatever Gateway there is, and passes requests on to the addresses of their Services,
// by HTTP and HTTPS. Nothing but the standard library, so that it is built in seconds.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync/atomic"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

// What the API server says of a Service, as far as anything depends on it.
type service struct {
	Spec struct {
		ClusterIP string
		Ports     []struct {
			Name string
			Port int
		}
	}
}

type route struct {
	host, path string
	exact      bool
	proxy      http.Handler
}

func (r route) takes(host, path string) bool {
	if r.host != "" && r.host != host {
		return false
	}
	prefix := strings.TrimSuffix(r.path, "/")
	return path == r.path || !r.exact && (path == prefix || strings.HasPrefix(path, prefix+"/"))
}

// Everything that is known, as it was a second ago.
type table struct {
	routes       []route
	certificates map[string]*tls.Certificate
}

type cluster struct{ client *http.Client }

var errNotThere = errors.New("not there")

func (c cluster) get(path string, into any) error {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	place := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	request, err := http.NewRequest("GET", "https://"+place+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	answer, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s: %w", path, errNotThere)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// Of what cannot be served nothing keeps the rest from it.
func (c cluster) read() (*table, error) {
	known := &table{certificates: map[string]*tls.Certificate{}}
	if err := c.readIngresses(known); err != nil {
		return nil, err
	}
	if err := c.readHTTPRoutes(known); err != nil {
		return nil, err
	}
	// The longest path decides, and a host before none.
	sort.SliceStable(known.routes, func(i, j int) bool {
		a, b := known.routes[i], known.routes[j]
		if (a.host == "") != (b.host == "") {
			return b.host == ""
		}
		return len(a.path) > len(b.path)
	})
	return known, nil
}

// A port of a Service, by number or by name.
type backend struct {
	namespace, service string
	port               int
	portName           string
}

// Adds a way to a Service, or says why not.
func (c cluster) add(known *table, host, path string, exact bool, to backend) {
	var found service
	if err := c.get("/api/v1/namespaces/"+to.namespace+"/services/"+to.service, &found); err != nil {
		log.Print(err)
		return
	}
	for _, port := range found.Spec.Ports {
		if port.Port == to.port || port.Name != "" && port.Name == to.portName {
			place := fmt.Sprintf("%s:%d", found.Spec.ClusterIP, port.Port)
			known.routes = append(known.routes, route{host, path, exact, proxyTo(place)})
		}
	}
}

func main() {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	server := cluster{&http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}},
	}}
	var known atomic.Pointer[table]
	go func() {
		for ; ; time.Sleep(time.Second) {
			if read, err := server.read(); err != nil {
				log.Print(err)
			} else {
				known.Store(read)
			}
		}
	}()

	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		host := request.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if now := known.Load(); now != nil {
			for _, route := range now.routes {
				if route.takes(host, request.URL.Path) {
					route.proxy.ServeHTTP(answer, request)
					return
				}
			}
		}
		http.NotFound(answer, request)
	})
	go func() {
		log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			if known.Load() == nil {
				answer.WriteHeader(http.StatusServiceUnavailable)
			}
		})))
	}()
	go func() { log.Fatal(http.ListenAndServe(":8000", handler)) }()
	secure := http.Server{Addr: ":8443", Handler: handler, TLSConfig: &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if now := known.Load(); now != nil && now.certificates[hello.ServerName] != nil {
				return now.certificates[hello.ServerName], nil
			}
			return nil, fmt.Errorf("no certificate for %q", hello.ServerName)
		},
	}}
	log.Fatal(secure.ListenAndServeTLS("", ""))
}

// A connection that was not used for a second may lead to a pod that is about to end.
var transport = &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Second}

func proxyTo(place string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(&url.URL{Scheme: "http", Host: place})
			request.Out.Host = request.In.Host
			request.SetXForwarded()
		},
		Transport: transport,
	}
}
