package main

import (
	"fmt"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// world is what the rules of a policy are read against.
type world struct {
	pods       []*core.Pod
	namespaces map[string]labels.Set
}

// table is the table of a node: each of its pods that a policy isolates has a chain for a direction, which returns what is
// allowed and drops the rest. Connections that were accepted stay so.
func table(node, podSubnet string, pods []*core.Pod, namespaces []*core.Namespace, policies []*networking.NetworkPolicy) string {
	w := world{namespaces: map[string]labels.Set{}}
	for _, pod := range pods {
		if hasAddress(pod) {
			w.pods = append(w.pods, pod)
		}
	}
	for _, namespace := range namespaces {
		w.namespaces[namespace.Name] = namespace.Labels
	}
	// The same world gives the same text.
	sort.Slice(w.pods, func(i, j int) bool { return w.pods[i].Status.PodIP < w.pods[j].Status.PodIP })
	sort.Slice(policies, func(i, j int) bool {
		return policies[i].Namespace+"/"+policies[i].Name < policies[j].Namespace+"/"+policies[j].Name
	})

	var chains strings.Builder
	var ingress, egress []string
	chain := func(direction string, pod *core.Pod, rules []string) string {
		name := direction + "_" + strings.ReplaceAll(pod.Status.PodIP, ".", "_")
		fmt.Fprintf(&chains, "  chain %s { # %s/%s\n", name, pod.Namespace, pod.Name)
		for _, rule := range rules {
			fmt.Fprintf(&chains, "    %s return\n", rule)
		}
		fmt.Fprint(&chains, "    counter drop\n  }\n")
		return fmt.Sprintf("%s : jump %s", pod.Status.PodIP, name)
	}
	for _, pod := range w.pods {
		if pod.Spec.NodeName != node {
			continue
		}
		if rules, isolated := w.ingress(pod, policies); isolated {
			ingress = append(ingress, chain("in", pod, rules))
		}
		if rules, isolated := w.egress(pod, policies); isolated {
			egress = append(egress, chain("out", pod, rules))
		}
	}

	var text strings.Builder
	fmt.Fprintf(&text, "table ip network {}\ndelete table ip network\ntable ip network {\n%s", chains.String())
	fmt.Fprint(&text, "  chain leaving {\n    type nat hook postrouting priority srcnat - 5;\n")
	fmt.Fprintf(&text, "    ip saddr %s ip daddr != %s fib daddr type != local masquerade\n  }\n", podSubnet, podSubnet)
	fmt.Fprint(&text, "  chain policies {\n    type filter hook forward priority filter - 5;\n    ct state established,related accept\n")
	if len(egress) > 0 {
		fmt.Fprintf(&text, "    ip saddr vmap { %s }\n", strings.Join(egress, ", "))
	}
	if len(ingress) > 0 {
		fmt.Fprintf(&text, "    ip daddr vmap { %s }\n", strings.Join(ingress, ", "))
	}
	fmt.Fprint(&text, "  }\n}\n")
	return text.String()
}

// hasAddress: is the address of the pod its own, and still?
func hasAddress(pod *core.Pod) bool {
	return !pod.Spec.HostNetwork && pod.Status.PodIP != "" && !strings.Contains(pod.Status.PodIP, ":") &&
		pod.Status.Phase != core.PodSucceeded && pod.Status.Phase != core.PodFailed
}

func (w world) ingress(pod *core.Pod, policies []*networking.NetworkPolicy) (rules []string, isolated bool) {
	for _, policy := range policies {
		if !applies(policy, pod, networking.PolicyTypeIngress) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Ingress {
			rules = append(rules, w.matches("saddr", policy.Namespace, rule.From, rule.Ports, pod)...)
		}
	}
	return rules, isolated
}

func (w world) egress(pod *core.Pod, policies []*networking.NetworkPolicy) (rules []string, isolated bool) {
	for _, policy := range policies {
		if !applies(policy, pod, networking.PolicyTypeEgress) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Egress {
			rules = append(rules, w.matches("daddr", policy.Namespace, rule.To, rule.Ports, nil)...)
		}
	}
	return rules, isolated
}

func applies(policy *networking.NetworkPolicy, pod *core.Pod, direction networking.PolicyType) bool {
	if policy.Namespace != pod.Namespace || !selects(&policy.Spec.PodSelector, pod.Labels) {
		return false
	}
	if len(policy.Spec.PolicyTypes) == 0 {
		return direction == networking.PolicyTypeIngress || len(policy.Spec.Egress) > 0
	}
	for _, named := range policy.Spec.PolicyTypes {
		if named == direction {
			return true
		}
	}
	return false
}

func selects(selector *meta.LabelSelector, set labels.Set) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

// matches are the conditions of nftables of one rule. `side` is where the peers' address stands, `target` the pod whose
// ports a named port means; without one it is the peer's.
func (w world) matches(side, namespace string, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort, target *core.Pod) (all []string) {
	byName := target == nil && hasNames(ports)
	if len(peers) == 0 {
		all = conditions(ports, target)
		if byName {
			// Any pod that has a port of that name.
			peers = []networking.NetworkPolicyPeer{{NamespaceSelector: &meta.LabelSelector{}}}
		}
	}
	for _, peer := range peers {
		if block := peer.IPBlock; block != nil {
			if strings.Contains(block.CIDR, ":") {
				continue
			}
			condition := "ip " + side + " " + block.CIDR
			if len(block.Except) > 0 {
				condition += " ip " + side + " != { " + strings.Join(block.Except, ", ") + " }"
			}
			for _, port := range conditions(ports, target) {
				all = append(all, condition+" "+port)
			}
			continue
		}
		var addresses []string
		for _, pod := range w.pods {
			if !w.isPeer(pod, peer, namespace) {
				continue
			}
			if !byName {
				addresses = append(addresses, pod.Status.PodIP)
				continue
			}
			for _, port := range conditions(ports, pod) {
				all = append(all, "ip "+side+" "+pod.Status.PodIP+" "+port)
			}
		}
		if len(addresses) == 0 {
			continue
		}
		for _, port := range conditions(ports, target) {
			all = append(all, "ip "+side+" { "+strings.Join(addresses, ", ")+" } "+port)
		}
	}
	return all
}

func (w world) isPeer(pod *core.Pod, peer networking.NetworkPolicyPeer, namespace string) bool {
	if peer.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, w.namespaces[pod.Namespace]) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)
}

func hasNames(ports []networking.NetworkPolicyPort) bool {
	for _, port := range ports {
		if port.Port != nil && port.Port.StrVal != "" {
			return true
		}
	}
	return false
}

// conditions are the conditions of a rule's ports; names are those of `pod`. No ports: one condition that is always true.
func conditions(ports []networking.NetworkPolicyPort, pod *core.Pod) (all []string) {
	if len(ports) == 0 {
		return []string{""}
	}
	for _, port := range ports {
		protocol := "tcp"
		if port.Protocol != nil {
			protocol = strings.ToLower(string(*port.Protocol))
		}
		switch {
		case port.Port == nil:
			all = append(all, "meta l4proto "+protocol)
		case port.Port.StrVal != "":
			for _, number := range numbers(pod, port.Port.StrVal, protocol) {
				all = append(all, fmt.Sprintf("%s dport %d", protocol, number))
			}
		case port.EndPort != nil:
			all = append(all, fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort))
		default:
			all = append(all, fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal))
		}
	}
	return all
}

func numbers(pod *core.Pod, name, protocol string) (all []int32) {
	if pod == nil {
		return nil
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name && (port.Protocol == "" || strings.EqualFold(string(port.Protocol), protocol)) {
				all = append(all, port.ContainerPort)
			}
		}
	}
	return all
}
