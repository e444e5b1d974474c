internal import CLinux
internal import Glibc
internal import IPC

/// A worker in whose place a test speaks: it gives its channel to who listens at `puppet.sock` beside it, and ends when that end of
/// their connection is closed. So the test has what a hostile program in the worker's place has, and more: nothing confines it.
enum Puppet {
    static func serve(in directory: String) -> Never {
        signal(SIGPIPE, SIG_IGN)
        // As the worker that it stands for: without the supervisor there is none.
        _ = csd_set_parent_death_signal(SIGKILL)
        let control = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(directory)/puppet.sock".utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(control, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { fail("nobody takes the puppet: errno \(errno)") }
        guard csd_send_message(control, [1], 1, [channelDescriptor], 1) == 1 else { fail("errno \(errno)") }
        close(channelDescriptor)
        var byte: UInt8 = 0
        while read(control, &byte, 1) > 0 {}
        exit(0)
    }
}
