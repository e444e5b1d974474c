/// A received message, and the descriptors that it carried.
public struct Incoming<Message: IPCMessage>: ~Copyable {
    /// The message.
    public let message: Message
    /// The sender's number for the message, which the answer repeats.
    public let requestID: UInt32
    /// The descriptors, exactly as many as `message.descriptorCount` says.
    public var descriptors: PassedDescriptors
}
