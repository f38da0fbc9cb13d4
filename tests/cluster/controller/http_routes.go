package main

import (
	"cmp"
	"errors"
)

// What the API server says of the Gateway API's kinds, as far as anything depends on it. What may be left out it has filled in.
type gateways struct {
	Items []struct {
		Metadata struct{ Namespace, Name string }
		Spec     struct{ Listeners []listener }
	}
}

type listener struct {
	Name          string
	AllowedRoutes struct{ Namespaces struct{ From string } }
}

type httpRoutes struct {
	Items []struct {
		Metadata struct{ Namespace, Name string }
		Spec     struct {
			ParentRefs []struct{ Namespace, Name, SectionName string }
			Hostnames  []string
			Rules      []struct {
				Matches     []struct{ Path struct{ Type, Value string } }
				BackendRefs []struct {
					Name string
					Port int
				}
			}
		}
	}
}

// Where the cluster does not know these kinds, there are none. No more than tests need: a listener's host does not matter,
// backends are Services in the namespace of their route, the first gets everything, and nothing is said in a status.
func (c cluster) readHTTPRoutes(known *table) error {
	const group = "/apis/gateway.networking.k8s.io/v1/"
	var all httpRoutes
	if err := c.get(group+"httproutes", &all); errors.Is(err, errNotThere) {
		return nil
	} else if err != nil {
		return err
	}
	var through gateways
	if err := c.get(group+"gateways", &through); err != nil {
		return err
	}
	for _, route := range all.Items {
		namespace := route.Metadata.Namespace
		attached := false
		for _, parent := range route.Spec.ParentRefs {
			attached = attached || through.take(namespace, cmp.Or(parent.Namespace, namespace), parent.Name, parent.SectionName)
		}
		if !attached {
			continue
		}
		hosts := route.Spec.Hostnames
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, rule := range route.Spec.Rules {
			for _, match := range rule.Matches {
				for _, to := range rule.BackendRefs {
					for _, host := range hosts {
						c.add(known, host, match.Path.Value, match.Path.Type == "Exact", backend{namespace, to.Name, to.Port, ""})
					}
				}
			}
		}
	}
	return nil
}

// Whether routes of a namespace may attach to the Gateway, or to its listener of that name.
func (g gateways) take(from, namespace, name, section string) bool {
	for _, gateway := range g.Items {
		if gateway.Metadata.Namespace != namespace || gateway.Metadata.Name != name {
			continue
		}
		for _, listener := range gateway.Spec.Listeners {
			allowed := listener.AllowedRoutes.Namespaces.From
			if (section == "" || section == listener.Name) && (allowed == "All" || from == namespace) {
				return true
			}
		}
	}
	return false
}
