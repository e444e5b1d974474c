@testable import SSH

extension SessionEnd {
    /// The end of a child of this process that stands in for a session of a host.
    init(of child: ChildEnd, said: String = "") {
        switch child {
        case .exited(let status): self.init(.exited(UInt32(clamping: status)), said: said)
        case .signalled, .unseen: self.init(.ended, said: said)
        }
    }
}
