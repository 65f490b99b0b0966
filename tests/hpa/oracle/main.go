// Command oracle answers cases, one JSON object a line, with Kubernetes' own HorizontalController.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"oracle/podautoscaler"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var c podautoscaler.Case
		err := json.Unmarshal(lines.Bytes(), &c)
		var answers []map[string]any
		if err == nil {
			answers, err = podautoscaler.Answer(c)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			answers = nil
		}
		if err := out.Encode(answers); err != nil {
			panic(err)
		}
	}
}
