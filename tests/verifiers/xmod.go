// Asks golang.org/x/mod what it makes of notes and proofs: one JSON object a line in, "true" or "false" a line out.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type asked struct {
	Op, Note, Key, Root, Old, Leaf string
	Size, Index                    int64
	Proof                          []string
}

func hash(digits string) (h tlog.Hash) {
	octets, err := hex.DecodeString(digits)
	if err != nil || len(octets) != len(h) {
		panic("not a hash: " + digits)
	}
	copy(h[:], octets)
	return h
}

func holds(a asked) bool {
	proof := make([]tlog.Hash, 0, len(a.Proof))
	for _, digits := range a.Proof {
		proof = append(proof, hash(digits))
	}
	switch a.Op {
	case "note":
		verifier, err := note.NewVerifier(a.Key)
		if err != nil {
			return false
		}
		octets, err := hex.DecodeString(a.Note)
		if err != nil {
			panic(err)
		}
		_, err = note.Open(octets, note.VerifierList(verifier))
		return err == nil
	case "inclusion":
		return tlog.CheckRecord(proof, a.Size, hash(a.Root), a.Index, hash(a.Leaf)) == nil
	case "consistency":
		return tlog.CheckTree(proof, a.Size, hash(a.Root), a.Index, hash(a.Old)) == nil
	}
	panic("unknown: " + a.Op)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a asked
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			panic(err)
		}
		fmt.Println(holds(a))
	}
}
