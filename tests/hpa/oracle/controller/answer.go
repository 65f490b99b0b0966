package podautoscaler

// Drives the controller above, unchanged but for its clock, on one List of objects at a time.

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	scalefake "k8s.io/client-go/scale/fake"
	core "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
	"k8s.io/kubernetes/pkg/controller/util/selectors"
	customapi "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalapi "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsapi "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	customclient "k8s.io/metrics/pkg/client/custom_metrics"
	externalclient "k8s.io/metrics/pkg/client/external_metrics"
)

type Entry struct {
	Replicas   *int32  `json:"replicas,omitempty"`
	Change     *int32  `json:"change,omitempty"`
	AgeSeconds float64 `json:"ageSeconds"`
}

type Memory struct {
	Recommendations []Entry `json:"recommendations"`
	ScaleUpEvents   []Entry `json:"scaleUpEvents"`
	ScaleDownEvents []Entry `json:"scaleDownEvents"`
}

type State struct {
	Now        string `json:"now"`
	Controller struct {
		Tolerance                      *float64 `json:"tolerance"`
		DownscaleStabilizationSeconds  *float64 `json:"downscaleStabilizationSeconds"`
		CpuInitializationPeriodSeconds *float64 `json:"cpuInitializationPeriodSeconds"`
		InitialReadinessDelaySeconds   *float64 `json:"initialReadinessDelaySeconds"`
		ConfigurableTolerance          *bool    `json:"configurableTolerance"`
	} `json:"controller"`
	Memory
}

type Case struct {
	Items []json.RawMessage `json:"items"`
	State State             `json:"state"`
}

type world struct {
	pods      []*v1.Pod
	usages    []metricsapi.PodMetrics
	values    []customapi.MetricValue
	externals []externalapi.ExternalMetricValue
}

func seconds(value *float64, standard float64) time.Duration {
	if value == nil {
		return time.Duration(standard * 1e9)
	}
	return time.Duration(math.Round(*value * 1e9))
}

// The three metrics APIs

type resourceAPI struct {
	resourceclient.PodMetricsInterface
	world     *world
	namespace string
}
type resourceAPIs struct{ world *world }

func (r resourceAPIs) PodMetricses(namespace string) resourceclient.PodMetricsInterface {
	return resourceAPI{world: r.world, namespace: namespace}
}
func (r resourceAPI) List(_ context.Context, opts metav1.ListOptions) (*metricsapi.PodMetricsList, error) {
	selector, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	list := &metricsapi.PodMetricsList{}
	for _, usage := range r.world.usages {
		own := usage.Labels
		if len(own) == 0 {
			own = nil
			for _, pod := range r.world.pods {
				if pod.Name == usage.Name && pod.Namespace == usage.Namespace {
					own = pod.Labels
				}
			}
			if own == nil {
				continue
			}
		}
		if usage.Namespace == r.namespace && selector.Matches(labels.Set(own)) {
			list.Items = append(list.Items, usage)
		}
	}
	return list, nil
}

type customAPI struct {
	world     *world
	namespace string
}

func (c customAPI) RootScopedMetrics() customclient.MetricsInterface { return c }
func (c customAPI) NamespacedMetrics(namespace string) customclient.MetricsInterface {
	return customAPI{c.world, namespace}
}
func (c customAPI) GetForObject(kind schema.GroupKind, name, metric string, _ labels.Selector) (*customapi.MetricValue, error) {
	var found []customapi.MetricValue
	for _, value := range c.world.values {
		if value.Metric.Name == metric && value.DescribedObject.Kind == kind.Kind && value.DescribedObject.Name == name && value.DescribedObject.Namespace == c.namespace {
			found = append(found, value)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("the custom metrics API server returned %v results when we asked for exactly one", len(found))
	}
	return &found[0], nil
}
func (c customAPI) GetForObjects(_ schema.GroupKind, selector labels.Selector, metric string, _ labels.Selector) (*customapi.MetricValueList, error) {
	list := &customapi.MetricValueList{}
	for _, value := range c.world.values {
		for _, pod := range c.world.pods {
			if value.Metric.Name == metric && value.DescribedObject.Kind == "Pod" && value.DescribedObject.Name == pod.Name && value.DescribedObject.Namespace == c.namespace && pod.Namespace == c.namespace && selector.Matches(labels.Set(pod.Labels)) {
				list.Items = append(list.Items, value)
			}
		}
	}
	return list, nil
}

type externalAPI struct{ world *world }

func (e externalAPI) NamespacedMetrics(string) externalclient.MetricsInterface { return e }
func (e externalAPI) List(metric string, selector labels.Selector) (*externalapi.ExternalMetricValueList, error) {
	// The selector crosses the wire as a string
	parsed, err := labels.Parse(selector.String())
	if err != nil {
		return nil, err
	}
	list := &externalapi.ExternalMetricValueList{}
	for _, value := range e.world.externals {
		if value.MetricName == metric && (len(value.MetricLabels) == 0 || parsed.Matches(labels.Set(value.MetricLabels))) {
			list.Items = append(list.Items, value)
		}
	}
	return list, nil
}

type scaled struct {
	spec, status int32
	selector     string
}

// Answer runs one reconcile of each HPA.
func Answer(c Case) ([]map[string]any, error) {
	now, err := time.Parse(time.RFC3339Nano, c.State.Now)
	if err != nil {
		return nil, err
	}
	oracleNow = func() time.Time { return now }
	configurable := c.State.Controller.ConfigurableTolerance == nil || *c.State.Controller.ConfigurableTolerance
	if err := utilfeature.DefaultMutableFeatureGate.Set(fmt.Sprintf("HPAConfigurableTolerance=%v", configurable)); err != nil {
		return nil, err
	}
	var hpas []*autoscalingv2.HorizontalPodAutoscaler
	w := &world{}
	scales := map[string]scaled{}
	for _, raw := range c.Items {
		var meta metav1.TypeMeta
		if err := json.Unmarshal(raw, &meta); err != nil {
			return nil, err
		}
		switch meta.Kind {
		case "HorizontalPodAutoscaler":
			hpa := &autoscalingv2.HorizontalPodAutoscaler{}
			if err := json.Unmarshal(raw, hpa); err != nil {
				return nil, err
			}
			// As the API server hands it out: quantities in their canonical form
			again, _ := json.Marshal(hpa)
			hpa = &autoscalingv2.HorizontalPodAutoscaler{}
			if err := json.Unmarshal(again, hpa); err != nil {
				return nil, err
			}
			if hpa.Namespace == "" {
				hpa.Namespace = "default"
			}
			defaults.SetDefaults_HorizontalPodAutoscaler(hpa)
			hpas = append(hpas, hpa)
		case "Pod":
			pod := &v1.Pod{}
			if err := json.Unmarshal(raw, pod); err != nil {
				return nil, err
			}
			if pod.Namespace == "" {
				pod.Namespace = "default"
			}
			w.pods = append(w.pods, pod)
		case "PodMetrics":
			usage := metricsapi.PodMetrics{}
			if err := json.Unmarshal(raw, &usage); err != nil {
				return nil, err
			}
			if usage.Namespace == "" {
				usage.Namespace = "default"
			}
			w.usages = append(w.usages, usage)
		case "MetricValue":
			value := customapi.MetricValue{}
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, err
			}
			if value.DescribedObject.Namespace == "" {
				value.DescribedObject.Namespace = "default"
			}
			w.values = append(w.values, value)
		case "ExternalMetricValue":
			value := externalapi.ExternalMetricValue{}
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, err
			}
			w.externals = append(w.externals, value)
		default:
			object := unstructured.Unstructured{}
			if err := json.Unmarshal(raw, &object.Object); err != nil {
				return nil, err
			}
			namespace := object.GetNamespace()
			if namespace == "" {
				namespace = "default"
			}
			key := namespace + "/" + object.GetName()
			if _, there := scales[key]; there && object.GetKind() != "Scale" {
				continue
			}
			scales[key] = scaleOf(object)
		}
	}
	answers := []map[string]any{}
	for _, hpa := range hpas {
		answers = append(answers, answer(hpa, hpas, w, scales, c.State, now))
	}
	return answers, nil
}

func scaleOf(object unstructured.Unstructured) scaled {
	number := func(standard int32, path ...string) int32 {
		value, found, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		if !found || value == nil {
			return standard
		}
		return int32(value.(float64))
	}
	s := scaled{spec: number(1, "spec", "replicas")}
	s.status = number(s.spec, "status", "replicas")
	if object.GetKind() == "Scale" {
		s.selector, _, _ = unstructured.NestedString(object.Object, "status", "selector")
		return s
	}
	raw, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "selector")
	text, _ := json.Marshal(raw)
	var selector *metav1.LabelSelector
	if err := json.Unmarshal(text, &selector); err == nil && selector != nil {
		if parsed, err := metav1.LabelSelectorAsSelector(selector); err == nil {
			s.selector = parsed.String()
		}
	}
	return s
}

func answer(hpa *autoscalingv2.HorizontalPodAutoscaler, all []*autoscalingv2.HorizontalPodAutoscaler, w *world, scales map[string]scaled, state State, now time.Time) map[string]any {
	key := hpa.Namespace + "/" + hpa.Name
	mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "apps", Version: "v1"}, {Version: "v1"}})
	for _, kind := range []string{"Deployment", "StatefulSet", "ReplicaSet"} {
		mapper.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: kind}, apimeta.RESTScopeNamespace)
	}
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ReplicationController"}, apimeta.RESTScopeNamespace)

	written := int32(-1)
	scaleClient := &scalefake.FakeScaleClient{}
	scaleClient.AddReactor("get", "*", func(action core.Action) (bool, runtime.Object, error) {
		get := action.(core.GetAction)
		s, found := scales[get.GetNamespace()+"/"+get.GetName()]
		if !found {
			return true, nil, errors.NewNotFound(get.GetResource().GroupResource(), get.GetName())
		}
		return true, &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: get.GetName(), Namespace: get.GetNamespace()}, Spec: autoscalingv1.ScaleSpec{Replicas: s.spec}, Status: autoscalingv1.ScaleStatus{Replicas: s.status, Selector: s.selector}}, nil
	})
	scaleClient.AddReactor("update", "*", func(action core.Action) (bool, runtime.Object, error) {
		scale := action.(core.UpdateAction).GetObject().(*autoscalingv1.Scale)
		written = scale.Spec.Replicas
		return true, scale, nil
	})
	var status *autoscalingv2.HorizontalPodAutoscalerStatus
	clientset := &fake.Clientset{}
	clientset.AddReactor("update", "horizontalpodautoscalers", func(action core.Action) (bool, runtime.Object, error) {
		object := action.(core.UpdateAction).GetObject().(*autoscalingv2.HorizontalPodAutoscaler)
		status = object.Status.DeepCopy()
		return true, object, nil
	})
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, pod := range w.pods {
		_ = indexer.Add(pod)
	}
	lister := corelisters.NewPodLister(indexer)
	tolerance := 0.1
	if state.Controller.Tolerance != nil {
		tolerance = *state.Controller.Tolerance
	}
	downscale := seconds(state.Controller.DownscaleStabilizationSeconds, 300)
	initialization, readiness := seconds(state.Controller.CpuInitializationPeriodSeconds, 300), seconds(state.Controller.InitialReadinessDelaySeconds, 30)
	a := &HorizontalController{
		eventRecorder:                &record.FakeRecorder{},
		scaleNamespacer:              scaleClient,
		hpaNamespacer:                clientset.AutoscalingV2(),
		tolerance:                    tolerance,
		downscaleStabilisationWindow: downscale,
		monitor:                      monitor.New(),
		mapper:                       mapper,
		recommendations:              map[string][]timestampedRecommendation{},
		scaleUpEvents:                map[string][]timestampedScaleEvent{},
		scaleDownEvents:              map[string][]timestampedScaleEvent{},
		hpaSelectors:                 selectors.NewBiMultimap(),
		podLister:                    lister,
		replicaCalc:                  NewReplicaCalculator(metricsclient.NewRESTMetricsClient(resourceAPIs{w}, customAPI{w, ""}, externalAPI{w}), lister, initialization, readiness),
	}
	for _, other := range all {
		s, found := scales[other.Namespace+"/"+other.Spec.ScaleTargetRef.Name]
		selector := labels.Nothing()
		if found && s.selector != "" {
			if parsed, err := labels.Parse(s.selector); err == nil {
				selector = parsed
			}
		}
		a.hpaSelectors.PutSelector(selectors.Key{Name: other.Name, Namespace: other.Namespace}, selector)
	}
	ago := func(age float64) time.Time { return now.Add(-time.Duration(math.Round(age * 1e9))) }
	if state.Recommendations != nil {
		a.recommendations[key] = []timestampedRecommendation{}
		for _, entry := range state.Recommendations {
			a.recommendations[key] = append(a.recommendations[key], timestampedRecommendation{*entry.Replicas, ago(entry.AgeSeconds)})
		}
	}
	for _, entry := range state.ScaleUpEvents {
		a.scaleUpEvents[key] = append(a.scaleUpEvents[key], timestampedScaleEvent{*entry.Change, ago(entry.AgeSeconds), false})
	}
	for _, entry := range state.ScaleDownEvents {
		a.scaleDownEvents[key] = append(a.scaleDownEvents[key], timestampedScaleEvent{*entry.Change, ago(entry.AgeSeconds), false})
	}
	text := any(nil)
	if err := a.reconcileAutoscaler(context.Background(), hpa, key); err != nil {
		text = err.Error()
	}
	conditions := []map[string]string{}
	if status != nil {
		for _, c := range status.Conditions {
			conditions = append(conditions, map[string]string{"type": string(c.Type), "status": string(c.Status), "reason": c.Reason, "message": c.Message})
		}
	}
	result := map[string]any{"name": hpa.Name, "namespace": hpa.Namespace, "error": text, "conditions": conditions, "metrics": []any{}, "scaled": written >= 0}
	if status != nil && len(status.CurrentMetrics) > 0 {
		result["metrics"] = a.metrics(hpa, scales, status, initialization, readiness)
	}
	if s, found := scales[hpa.Namespace+"/"+hpa.Spec.ScaleTargetRef.Name]; found {
		result["currentReplicas"], result["desiredReplicas"] = s.spec, s.spec
		if written >= 0 {
			result["desiredReplicas"] = written
		}
	}
	result["state"] = a.memory(key, now)
	return result
}

func (a *HorizontalController) memory(key string, now time.Time) map[string]any {
	memory := map[string]any{"recommendations": nil}
	if a.recommendations[key] != nil {
		entries := []map[string]any{}
		for _, r := range a.recommendations[key] {
			entries = append(entries, map[string]any{"replicas": r.recommendation, "ageSeconds": now.Sub(r.timestamp).Seconds()})
		}
		memory["recommendations"] = entries
	}
	for name, events := range map[string][]timestampedScaleEvent{"scaleUpEvents": a.scaleUpEvents[key], "scaleDownEvents": a.scaleDownEvents[key]} {
		entries := []map[string]any{}
		for _, event := range events {
			entries = append(entries, map[string]any{"change": event.replicaChange, "ageSeconds": now.Sub(event.timestamp).Seconds()})
		}
		memory[name] = entries
	}
	return memory
}

func (a *HorizontalController) metrics(hpa *autoscalingv2.HorizontalPodAutoscaler, scales map[string]scaled, status *autoscalingv2.HorizontalPodAutoscalerStatus, initialization, readiness time.Duration) []any {
	s := scales[hpa.Namespace+"/"+hpa.Spec.ScaleTargetRef.Name]
	selector, _ := labels.Parse(s.selector)
	results := []any{}
	for i, spec := range hpa.Spec.Metrics {
		ignore := autoscalingv2.MetricStatus{}
		replicas, _, _, _, err := a.computeReplicasForMetric(context.Background(), hpa, spec, s.spec, s.status, selector, &ignore)
		entry := map[string]any{"type": string(spec.Type), "proposal": replicas, "error": nil, "current": nil}
		if err != nil {
			entry["proposal"], entry["error"] = nil, err.Error()
		} else {
			entry["current"] = current(status.CurrentMetrics[i])
		}
		a.groups(entry, hpa.Namespace, spec, selector, initialization, readiness)
		results = append(results, entry)
	}
	return results
}

func current(status autoscalingv2.MetricStatus) autoscalingv2.MetricValueStatus {
	switch {
	case status.Resource != nil:
		return status.Resource.Current
	case status.ContainerResource != nil:
		return status.ContainerResource.Current
	case status.Pods != nil:
		return status.Pods.Current
	case status.Object != nil:
		return status.Object.Current
	}
	return status.External.Current
}

func (a *HorizontalController) groups(entry map[string]any, namespace string, spec autoscalingv2.MetricSpec, selector labels.Selector, initialization, readiness time.Duration) {
	entry["ready"], entry["unready"], entry["missing"], entry["ignored"] = []string{}, []string{}, []string{}, []string{}
	var figures metricsclient.PodMetricsInfo
	var err error
	resource := v1.ResourceName("")
	switch spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		resource = spec.Resource.Name
		figures, _, err = a.replicaCalc.metricsClient.GetResourceMetric(context.Background(), resource, namespace, selector, "")
	case autoscalingv2.ContainerResourceMetricSourceType:
		resource = spec.ContainerResource.Name
		figures, _, err = a.replicaCalc.metricsClient.GetResourceMetric(context.Background(), resource, namespace, selector, spec.ContainerResource.Container)
	case autoscalingv2.PodsMetricSourceType:
		figures, _, err = a.replicaCalc.metricsClient.GetRawMetric(spec.Pods.Metric.Name, namespace, selector, labels.Everything())
	default:
		return
	}
	pods, _ := a.podLister.Pods(namespace).List(selector)
	if err != nil || len(pods) == 0 {
		return
	}
	if text, _ := entry["error"].(string); strings.Contains(text, "invalid resource metric source") {
		return
	}
	_, unready, missing, ignored := groupPods(pods, figures, resource, initialization, readiness)
	ready := []string{}
	for _, pod := range pods {
		if !unready.Has(pod.Name) && !missing.Has(pod.Name) && !ignored.Has(pod.Name) {
			ready = append(ready, pod.Name)
		}
	}
	sort.Strings(ready)
	entry["ready"], entry["unready"], entry["missing"], entry["ignored"] = ready, sets.List(unready), sets.List(missing), sets.List(ignored)
}
