/// A received message, and the descriptors that it carried.
public struct Incoming<Message: IPCMessage>: ~Copyable {
    /// The message.
    public let message: Message
    /// The sender's number for it; an answer repeats it.
    public let requestID: UInt32
    /// Exactly as many as `message.descriptorCount` says.
    public var descriptors: PassedDescriptors
}
