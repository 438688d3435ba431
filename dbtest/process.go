package dbtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server must not outlive its test process, however that ends. So every server has a keeper: a shell that reads the
// server's process id from a pipe of which the test process holds the only other end. When the pipe closes, the keeper
// ends that process and removes the server's folder. The server in turn does not begin before its keeper knows it: it
// is a shell that waits for a word and then becomes the server, so that no kill can come between the two.
const (
	keeperScript = `trap '' HUP INT TERM
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
	kill -CONT "$pid"; kill -"$2" "$pid"
	n=0; while [ $n -lt 120 ] && kill -0 "$pid"; do sleep 0.05; n=$((n + 1)); done
	kill -KILL "$pid"
fi 2>/dev/null
rm -rf "$1" || { sleep 1; rm -rf "$1"; }`

	serverScript = `read -r go && exec "$0" "$@" </dev/null`
)

// keeper outlives the test process for as long as it takes to end a server and to remove its folder.
type keeper struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// keep starts the keeper of a folder, who will end the server in it with signal.
func keep(dir string, signal syscall.Signal) (*keeper, error) {
	cmd := exec.Command("/bin/sh", "-c", keeperScript, "dbtest-keeper", dir, strconv.Itoa(int(signal)))
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	return &keeper{cmd: cmd, pipe: pipe}, nil
}

// watch tells the keeper which process to end.
func (k *keeper) watch(pid int) error {
	_, err := fmt.Fprintln(k.pipe, pid)
	return err
}

// forget tells the keeper that there is no process to end: its id may come to belong to another.
func (k *keeper) forget() {
	// A keeper that has died has nothing to forget.
	_, _ = io.WriteString(k.pipe, "\n")
}

// dismiss has the keeper do its work now, and waits for it.
func (k *keeper) dismiss() error {
	return errors.Join(k.pipe.Close(), k.cmd.Wait())
}

// process is one run of a server.
type process struct {
	pid  int
	done chan struct{} // closed when the process has ended and its keeper has forgotten it
	err  error         // how it ended; to be read after done
}

// spawn runs a server under a keeper, its output appended to the file log.
func spawn(k *keeper, who *syscall.Credential, dir, log, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", serverScript, name}, args...)...)
	cmd.Dir, cmd.Env = dir, environ(dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: who}
	start, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	go p.wait(k, cmd)
	if err := k.watch(p.pid); err != nil {
		return nil, errors.Join(fmt.Errorf("tell keeper: %w", err), start.Close())
	}
	_, err = io.WriteString(start, "go\n")
	return p, errors.Join(err, start.Close())
}

// wait notes the process's end. Leaks knows it by name.
func (p *process) wait(k *keeper, cmd *exec.Cmd) {
	p.err = cmd.Wait()
	k.forget()
	close(p.done)
}

// running tells whether the process has not ended yet.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal, unless the process has just ended by itself.
func (p *process) signal(s syscall.Signal) error {
	if err := syscall.Kill(p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send process %d signal %v: %w", p.pid, s, err)
	}
	return nil
}

// end sends a signal and waits for the process to end; after a minute it kills it.
func (p *process) end(s syscall.Signal) error {
	if err := p.signal(s); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("did not stop within a minute"), p.kill())
	}
}

// kill ends the process and its children at one stroke, and waits until they are gone.
func (p *process) kill() error {
	family, err := p.pause()
	for _, pid := range family {
		// Whoever has ended by itself needs no killing.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	for _, pid := range family {
		err = errors.Join(err, await(pid, "gone", func(state byte) bool { return state == 0 || state == 'Z' }))
	}
	return err
}

// pause stops the process and then its children, and returns them all. No child can be born in between.
func (p *process) pause() ([]int, error) {
	family := []int{p.pid}
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return family, err
	}
	if err := await(p.pid, "paused", func(state byte) bool { return state == 0 || state == 'T' || state == 'Z' }); err != nil {
		return family, err
	}
	family = append(family, children(p.pid)...)
	for _, pid := range family[1:] {
		// A child may have ended since it was listed.
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	return family, nil
}

// resume undoes pause.
func (p *process) resume() error {
	for _, pid := range children(p.pid) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return p.signal(syscall.SIGCONT)
}

// await waits until the state of a process, as stat tells it, is what is wanted.
func await(pid int, what string, wanted func(state byte) bool) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if state, _ := stat(pid); wanted(state) {
			return nil
		}
	}
	return fmt.Errorf("process %d is not %s after ten seconds", pid, what)
}

// children lists the processes whose parent is pid. Without /proc there are none.
func children(pid int) []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	var list []int
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if _, parent := stat(child); parent == pid {
			list = append(list, child)
		}
	}
	return list
}

// stat returns the state letter and the parent of a process; zeros if there is no such process.
func stat(pid int) (state byte, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The command's name stands in parentheses and may itself hold some.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0][0], parent
}

// unprivileged returns whom to run servers as: nil, ourselves, unless we are root, whom most servers refuse.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("running as root, and there is nobody to run servers as: %w", err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of %s: %w", who.Username, err)
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of %s: %w", who.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// environ is what servers and their clients get to see: nothing of the user's own settings.
func environ(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LC_ALL=C.UTF-8", "TZ=UTC"}
}
