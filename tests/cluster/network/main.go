// network is the pod network of one node: the configuration of the network plugins for this node's range of addresses,
// routes to the other nodes' ranges, masquerading of what leaves the pods' range, and NetworkPolicies, as one table of
// nftables. IPv4 only.
//
// NODE_NAME says which node this is, POD_SUBNET the range of all pods, CONTROL_PLANE_ENDPOINT, if set, where the API
// server is reached before kube-proxy runs.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const directory = "/etc/cni/net.d/"

// There once everything was written; the readiness probe looks for it.
const ready = "/ready"

const plugins = `{"cniVersion": "0.3.1", "name": "network", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500, "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state",
   "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "%s"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// What changes come in bursts; and how often everything is written again that somebody may have taken away.
const (
	burst = 50 * time.Millisecond
	again = 30 * time.Second
)

// node is what this process has written. Only what differs is written.
type node struct {
	name, podSubnet string
	plugins         string
	routes          map[string]string
	table           string
}

func main() {
	n := node{name: os.Getenv("NODE_NAME"), podSubnet: os.Getenv("POD_SUBNET"), routes: map[string]string{}}
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	nodes, pods := factory.Core().V1().Nodes(), factory.Core().V1().Pods()
	namespaces, policies := factory.Core().V1().Namespaces(), factory.Networking().V1().NetworkPolicies()

	changed := make(chan struct{}, 1)
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { tell() }, UpdateFunc: func(any, any) { tell() }, DeleteFunc: func(any) { tell() },
	}
	for _, informer := range []cache.SharedIndexInformer{nodes.Informer(), pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			log.Fatal(err)
		}
	}
	ctx := context.Background()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	failures := 0
	tick := time.NewTicker(again)
	for {
		select {
		case <-changed:
			time.Sleep(burst)
		case <-tick.C:
			n.routes, n.table = map[string]string{}, ""
		}
		// Listers of a synced cache do not fail.
		allNodes, _ := nodes.Lister().List(labels.Everything())
		allPods, _ := pods.Lister().List(labels.Everything())
		allNamespaces, _ := namespaces.Lister().List(labels.Everything())
		allPolicies, _ := policies.Lister().List(labels.Everything())
		err := n.connect(allNodes)
		if err == nil {
			err = n.enforce(table(n.name, n.podSubnet, allPods, allNamespaces, allPolicies))
		}
		if err == nil {
			err = os.WriteFile(ready, nil, 0o644)
		}
		if err == nil {
			failures = 0
			continue
		}
		// A pod that crashes again and again is seen, a policy that is not enforced is not.
		if failures++; failures > 5 {
			log.Fatal(err)
		}
		log.Print(err)
		time.Sleep(time.Second)
		tell()
	}
}

// connect writes the plugins' configuration, which makes this node ready, and the routes to the others.
func (n *node) connect(nodes []*core.Node) error {
	for _, other := range nodes {
		subnet := other.Spec.PodCIDR
		if subnet == "" {
			continue
		}
		if other.Name == n.name {
			if text := fmt.Sprintf(plugins, subnet); text != n.plugins {
				// containerd reads what is there, so never a part of it.
				if err := os.WriteFile(directory+".network", []byte(text), 0o644); err != nil {
					return err
				}
				if err := os.Rename(directory+".network", directory+"10-network.conflist"); err != nil {
					return err
				}
				n.plugins = text
				log.Print("pods of this node are in ", subnet)
			}
			continue
		}
		for _, address := range other.Status.Addresses {
			via := address.Address
			if address.Type != core.NodeInternalIP || strings.Contains(via, ":") || n.routes[subnet] == via {
				continue
			}
			if err := run("", "ip", "route", "replace", subnet, "via", via); err != nil {
				return err
			}
			n.routes[subnet] = via
		}
	}
	return nil
}

// enforce replaces the table as a whole, in one transaction.
func (n *node) enforce(table string) error {
	if table == n.table {
		return nil
	}
	if err := run(table, "nft", "-f", "-"); err != nil {
		return fmt.Errorf("%w\n%s", err, table)
	}
	n.table = table
	return nil
}

func run(input string, command ...string) error {
	c := exec.Command(command[0], command[1:]...)
	c.Stdin = strings.NewReader(input)
	output, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %w: %s", command, err, output)
	}
	return nil
}
