package main

import (
	"crypto/tls"
	"log"
)

// What the API server says of Ingresses, as far as anything depends on it.
type ingresses struct {
	Items []struct {
		Metadata struct{ Namespace, Name string }
		Spec     struct {
			TLS []struct {
				Hosts      []string
				SecretName string
			}
			Rules []struct {
				Host string
				HTTP struct {
					Paths []struct {
						Path, PathType string
						Backend        struct {
							Service struct {
								Name string
								Port struct {
									Name   string
									Number int
								}
							}
						}
					}
				}
			}
		}
	}
}

type secret struct{ Data map[string][]byte }

func (c cluster) readIngresses(known *table) error {
	var all ingresses
	if err := c.get("/apis/networking.k8s.io/v1/ingresses", &all); err != nil {
		return err
	}
	for _, ingress := range all.Items {
		namespace := ingress.Metadata.Namespace
		for _, rule := range ingress.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				to := path.Backend.Service
				c.add(known, rule.Host, path.Path, path.PathType == "Exact", backend{namespace, to.Name, to.Port.Number, to.Port.Name})
			}
		}
		for _, pair := range ingress.Spec.TLS {
			var found secret
			if err := c.get("/api/v1/namespaces/"+namespace+"/secrets/"+pair.SecretName, &found); err != nil {
				log.Print(err)
				continue
			}
			certificate, err := tls.X509KeyPair(found.Data["tls.crt"], found.Data["tls.key"])
			if err != nil {
				log.Print(err)
				continue
			}
			for _, host := range pair.Hosts {
				known.certificates[host] = &certificate
			}
		}
	}
	return nil
}
